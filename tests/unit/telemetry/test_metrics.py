"""What the metrics of a job type show."""

from prometheus_client import REGISTRY

from procos.telemetry.metrics import WorkerMetrics


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_jobs_are_counted_by_how_they_ended():
    metrics = WorkerMetrics("tde.counted")
    metrics.count("completed")
    metrics.count("completed")
    metrics.count("failed")

    assert value("procos_jobs_total", job_type="tde.counted", outcome="completed") == 2
    assert value("procos_jobs_total", job_type="tde.counted", outcome="failed") == 1
    assert value("procos_jobs_total", job_type="tde.counted", outcome="stale") is None


def test_a_second_worker_of_a_type_counts_on():
    for _ in range(2):
        WorkerMetrics("tde.again").count("completed")

    assert value("procos_jobs_total", job_type="tde.again", outcome="completed") == 2


def test_gauges_show_what_is_there_when_they_are_looked_at():
    running = [1]
    WorkerMetrics("tde.gauged").show(slots=8, running=lambda: running[0], in_hand=lambda: running[0] + 1)
    running[0] = 5

    assert value("procos_worker_slots", job_type="tde.gauged") == 8
    assert value("procos_jobs_running", job_type="tde.gauged") == 5
    assert value("procos_jobs_in_hand", job_type="tde.gauged") == 6


def test_durations_and_trouble_are_there_from_the_start():
    WorkerMetrics("tde.new").job_seconds.observe(0.02)

    assert value("procos_job_duration_seconds_count", job_type="tde.new") == 1
    assert value("procos_job_duration_seconds_bucket", job_type="tde.new", le="0.01") == 0
    assert value("procos_job_duration_seconds_bucket", job_type="tde.new", le="0.025") == 1
    assert value("procos_lease_renewals_total", job_type="tde.new", result="failed") == 0
    assert value("procos_job_delivery_retries_total", job_type="tde.new") == 0
