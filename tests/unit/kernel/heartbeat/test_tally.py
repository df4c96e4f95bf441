"""The heartbeat's counts, in the report and as metrics."""

from datetime import UTC, datetime

from prometheus_client import REGISTRY

from procos.kernel.heartbeat.tally import Tally

NOW = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_what_is_counted_is_in_the_report_and_in_the_metrics():
    before = {it: metric("procos_heartbeat_total", event=it) for it in ("found", "routed", "beats")}
    tally = Tally()
    tally.add(found=3, routed=1)
    tally.add(found=2)
    tally.beat(7, NOW, lag_s=0.12345, pause_s=2.0)

    assert (tally.report.found, tally.report.routed, tally.report.beats) == (5, 1, 1)
    assert {it: metric("procos_heartbeat_total", event=it) - before[it] for it in before} == {
        "found": 5,
        "routed": 1,
        "beats": 1,
    }


def test_a_beat_tells_where_and_when_and_that_there_is_no_trouble_any_more():
    tally = Tally()
    tally.note(trouble="the database was away")
    tally.beat(7, NOW, lag_s=0.12345, pause_s=2.0)

    report = tally.report
    assert (report.instance_key, report.last_beat_at, report.lag_s, report.pause_s) == (7, NOW, 0.123, 2.0)
    assert report.trouble == ""
    assert metric("procos_heartbeat_lag_seconds") == 0.12345
    assert metric("procos_heartbeat_last_beat_timestamp_seconds") == NOW.timestamp()
