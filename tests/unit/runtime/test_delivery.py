"""An outcome on its way to an engine that is busy, away, or of another opinion."""

import time
from datetime import timedelta

import pytest

from procos.errors import EngineError, EngineOverloaded, EngineRejected, EngineTimeout, EngineUnavailable
from procos.model.job import Completed, ErrorThrown, Failed, Job, Outcome
from procos.runtime.delivery import NotDelivered, deliver
from tests.unit.runtime.memory_jobs import MemoryJobs

pytestmark = pytest.mark.anyio

DONE = Completed({"answer": 42})


async def leased(jobs: MemoryJobs, lease: timedelta = timedelta(seconds=30)) -> Job:
    jobs.add("tde.some")
    (job,) = await jobs.activate("tde.some", worker="w", max_jobs=1, lease=lease)
    return job


async def delivered(jobs: MemoryJobs, job: Job, outcome: Outcome, *, within: float = 30) -> Outcome | None:
    end = time.monotonic() + within
    return await deliver(jobs, job, outcome, seconds_left=lambda: end - time.monotonic())


async def test_each_outcome_reaches_the_engine_once():
    jobs = MemoryJobs()
    failed, thrown = Failed("no good", retries=2), ErrorThrown("CODE", "why", {"a": 1})
    one, two, three = [await leased(jobs) for _ in range(3)]

    assert await delivered(jobs, one, DONE) == DONE
    assert await delivered(jobs, two, failed) == failed
    assert await delivered(jobs, three, thrown) == thrown
    assert jobs.completed == {one.key: {"answer": 42}}
    assert jobs.failures == [(two.key, failed)]
    assert jobs.thrown == [(three.key, thrown)]
    assert jobs.calls.count("deliver") == 3


@pytest.mark.parametrize(
    "error", [EngineOverloaded("busy"), EngineUnavailable("away"), EngineTimeout("slow"), EngineError("?")]
)
async def test_finished_work_is_delivered_again_until_it_is_taken(error):
    jobs = MemoryJobs()
    job = await leased(jobs)
    jobs.refuse("deliver", error, times=3)

    assert await delivered(jobs, job, DONE) == DONE
    assert jobs.completed == {job.key: {"answer": 42}}
    assert jobs.failures == []
    assert jobs.calls.count("deliver") == 4


async def test_a_job_that_is_gone_after_a_lost_answer_was_recorded_the_first_time():
    jobs = MemoryJobs()
    job = await leased(jobs)
    jobs.lose_answer("deliver", EngineTimeout("no answer"))

    assert await delivered(jobs, job, DONE) == DONE
    assert jobs.completed == {job.key: {"answer": 42}}


async def test_a_job_that_is_gone_at_once_is_not_delivered():
    jobs = MemoryJobs()
    job = await leased(jobs)
    jobs.cancel(job.key)

    assert await delivered(jobs, job, DONE) is NotDelivered.GONE
    assert jobs.calls.count("deliver") == 1


async def test_it_stops_when_the_lease_is_over(caplog):
    jobs = MemoryJobs()
    job = await leased(jobs)
    jobs.go_away()

    assert await delivered(jobs, job, DONE, within=0.1) is NotDelivered.LEASE_OVER
    assert jobs.failures == []
    assert f"job {job.key}: its lease is over before its result was taken" in caplog.text


async def test_a_result_that_is_too_large_fails_the_job_for_good_with_the_engines_reason(caplog):
    jobs = MemoryJobs(largest_result=100)
    job = await leased(jobs)

    outcome = await delivered(jobs, job, Completed({"text": "x" * 200}))

    assert isinstance(outcome, Failed)
    assert outcome.retries == 0
    assert outcome.message.startswith("the engine refused the result: message exceeds maximum size 100: 2")
    assert jobs.incidents == {job.key: outcome.message}
    assert "Task_1" in caplog.text


async def test_a_bpmn_error_that_is_refused_fails_the_job_for_good_instead_of_running_it_for_ever():
    jobs = MemoryJobs(largest_result=100)
    job = await leased(jobs)

    outcome = await delivered(jobs, job, ErrorThrown("CODE", variables={"text": "x" * 200}))

    assert isinstance(outcome, Failed)
    assert jobs.incidents == {job.key: outcome.message}
    assert "message exceeds maximum size" in outcome.message


async def test_a_failure_that_is_refused_is_left_at_that():
    jobs = MemoryJobs()
    job = await leased(jobs)
    jobs.refuse("deliver", EngineRejected("cannot", reason="no"), times=2)

    assert await delivered(jobs, job, Failed("no good", retries=1)) is NotDelivered.REFUSED
    assert jobs.calls.count("deliver") == 1


async def test_the_reason_of_a_refusal_is_delivered_through_backpressure_too():
    jobs = MemoryJobs(largest_result=100)
    job = await leased(jobs)
    jobs.refuse("deliver", EngineOverloaded("busy"))

    assert isinstance(await delivered(jobs, job, Completed({"text": "x" * 200})), Failed)
    assert list(jobs.incidents) == [job.key]
