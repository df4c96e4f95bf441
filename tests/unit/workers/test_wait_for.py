"""When the wait-for TDE checks again, what it keeps in between, and when it ends."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from procos.sdk import BpmnError, GiveUp, RetryLater
from procos_workers.wait_for import wait_for
from procos_workers.wait_for_task import WaitForConfig, WaitForInput
from tests.unit.workers.http_caller import unused_port
from tests.unit.workers.loopback_server import serving
from tests.unit.workers.waiter import WaitingJob

pytestmark = pytest.mark.anyio


def nobody(**more):
    return {"tcp": {"host": "127.0.0.1", "port": unused_port()}, **more}


def test_the_tde_is_registered_under_its_job_type():
    assert (wait_for.name, wait_for.job_type) == ("wait-for", "tde.wait-for")
    wait_for.manifest()


async def test_a_condition_that_holds_ends_the_job_at_the_first_check():
    with serving() as server:
        answer = await WaitingJob(tcp={"host": "127.0.0.1", "port": server.port}).check()
    assert answer.model_dump() == {
        "waited_seconds": 0,
        "checks": 1,
        "finding": f"127.0.0.1:{server.port} takes connections",
        "value": None,
    }


async def test_a_condition_that_does_not_hold_gives_the_job_back_without_using_up_a_retry():
    outcome = await WaitingJob(**nobody(interval=20)).check()
    assert isinstance(outcome, RetryLater)
    assert (outcome.after, outcome.keep_retries) == (timedelta(seconds=20), True)
    assert "takes no connection: Connection refused" in str(outcome)


async def test_time_and_checks_are_counted_over_all_attempts():
    port = unused_port()
    job = WaitingJob(tcp={"host": "127.0.0.1", "port": port})
    await job.check()
    await job.check_later(30)
    assert (job.kept["checks"], job.kept["waited_seconds"]) == (2, pytest.approx(30, abs=1))
    with serving() as server:
        job.task = WaitForInput.model_validate({"tcp": {"host": "127.0.0.1", "port": server.port}})
        answer = await job.check_later(40)
    assert (answer.checks, answer.waited_seconds) == (3, pytest.approx(70, abs=1))


async def test_the_interval_grows_by_its_factor_up_to_the_longest():
    job = WaitingJob(**nobody(interval="PT2S", backoff_factor=3, longest_interval=40, timeout="PT10H"))
    waits = [(await job.check()).after.total_seconds() for _ in range(5)]
    assert waits == [2, 6, 18, 40, 40]


async def test_a_longest_interval_below_the_interval_does_not_shorten_it():
    assert (await WaitingJob(**nobody(interval=20, longest_interval=5)).check()).after == timedelta(seconds=20)


async def test_many_checks_do_not_overflow():
    job = WaitingJob(**nobody(interval=1, backoff_factor=10, timeout="P300D"))
    await job.check()
    job.kept["checks"] = 100_000
    assert (await job.check()).after == timedelta(hours=1)


async def test_the_last_check_is_made_when_the_time_is_over():
    job = WaitingJob(**nobody(interval=60, timeout=100))
    await job.check()
    assert (await job.check_later(60)).after.total_seconds() == pytest.approx(40, abs=1)


async def test_when_the_time_is_over_the_process_gets_an_error_with_what_was_found():
    job = WaitingJob(**nobody(timeout=100))
    await job.check()
    with pytest.raises(BpmnError, match=r"within 100 s \(checks: 2\); found last: .*Connection refused") as caught:
        await job.check_later(101)
    assert caught.value.code == "WAIT_TIMEOUT"
    assert caught.value.variables["checks"] == 2
    assert caught.value.variables["waited_seconds"] == pytest.approx(101, abs=1)
    assert "takes no connection" in caught.value.variables["finding"]


async def test_a_condition_that_holds_at_the_last_check_has_held():
    with serving() as server:
        job = WaitingJob(**nobody(timeout=10))
        await job.check()
        job.task = WaitForInput.model_validate({"tcp": {"host": "127.0.0.1", "port": server.port}, "timeout": 10})
        assert (await job.check_later(1000)).checks == 2


async def test_without_any_time_there_is_one_check():
    with pytest.raises(BpmnError, match=r"checks: 1\)"):
        await WaitingJob(**nobody(timeout=0)).check()


async def test_a_clock_that_was_set_back_loses_no_time_that_was_waited_before():
    job = WaitingJob(**nobody(timeout=100))
    await job.check()
    await job.check_later(50)
    await job.check_later(-86400)
    assert job.kept["waited_seconds"] == pytest.approx(50, abs=1)
    with pytest.raises(BpmnError):
        await job.check_later(51)


@pytest.mark.parametrize(
    "kept", [None, "text", 7, [], {}, {"checks": -1}, {"last_check": "soon"}, {"last_check": float("nan")}]
)
async def test_what_cannot_be_read_of_an_earlier_attempt_begins_anew(kept):
    job = WaitingJob(**nobody())
    job.kept = kept
    await job.check()
    assert (job.kept["checks"], job.kept["waited_seconds"]) == (1, 0)


async def test_a_name_that_cannot_be_resolved_is_waited_for():
    outcome = await WaitingJob(tcp={"host": "db.invalid", "port": 5432}).check()
    assert "db.invalid:5432 takes no connection: its name cannot be resolved" in str(outcome)


@pytest.mark.parametrize("host", ["10.1.2.3", "2130706433"])
async def test_a_host_that_is_not_allowed_gives_up(host):
    config = {"http": {"allow_hosts": ["*.example.org"]}}
    with pytest.raises(GiveUp, match=r"is not allowed; .* tde\.wait-for\.http\.allow_hosts"):
        await WaitingJob(config, tcp={"host": host, "port": 80}).check()


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({}, "one of http, file, tcp"),
        ({"tcp": None}, "one of http, file, tcp"),
        ({"tcp": {"host": "a", "port": 1}, "file": {"path": "x"}}, "one of http, file, tcp"),
        ({"tcp": {"host": "", "port": 1}}, "host"),
        ({"tcp": {"host": "http://a", "port": 1}}, "is not a host"),
        ({"tcp": {"host": "a b", "port": 1}}, "is not a host"),
        ({"tcp": {"host": "a:1", "port": 1}}, "is not a host"),
        ({"tcp": {"host": "a", "port": 0}}, "port"),
        ({"tcp": {"host": "a", "port": 1}, "interval": 0.5}, "interval"),
        ({"tcp": {"host": "a", "port": 1}, "interval": "soon"}, "interval"),
        ({"tcp": {"host": "a", "port": 1}, "backoff_factor": 0.5}, "backoff_factor"),
        ({"tcp": {"host": "a", "port": 1}, "timeout": -1}, "timeout"),
        ({"tcp": {"host": "a", "port": 1}, "timeout": "P900D"}, "timeout"),
        ({"file": {"path": "x", "gone": True, "unchanged_for": 5}}, "gone"),
        ({"file": {"path": "a\0b"}}, "NUL"),
        ({"http": {"url": "ftp://a/"}}, "ftp"),
        ({"http": {"url": "http://a/", "method": "POST"}}, "GET"),
        ({"http": {"url": "http://a/", "answer": {"pointer": "status", "exists": True}}}, "not a JSON pointer"),
        ({"http": {"url": "http://a/", "answer": {"pointer": "/a~2", "exists": True}}}, "not a JSON pointer"),
        ({"http": {"url": "http://a/", "answer": {"pointer": "/a"}}}, "give one of equals"),
        ({"http": {"url": "http://a/", "answer": {"pointer": "/a", "equals": 1, "exists": True}}}, "give one of"),
        ({"http": {"url": "http://a/", "answer": {"pointer": "/a", "one_of": []}}}, "one_of"),
        ({"http": {"url": "http://a/", "answer": {"pointer": "/a", "at_least": "many"}}}, "at_least"),
    ],
)
def test_what_cannot_be_waited_for_is_refused_with_a_reason(task, message):
    with pytest.raises(ValidationError, match=message):
        WaitForInput.model_validate(task)


def test_an_ipv6_address_is_a_host():
    assert WaitForInput.model_validate({"tcp": {"host": "::1", "port": 1}}).tcp.url.host == "::1"


def test_settings_take_absolute_roots_only():
    with pytest.raises(ValidationError, match="absolute path"):
        WaitForConfig.model_validate({"roots": ["in"]})
