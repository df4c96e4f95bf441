"""A worker's end: what finishes, what is handed back, and what nobody waits for."""

import asyncio
import contextlib
import threading
from datetime import timedelta
from typing import Any

import pytest

from procos.errors import BpmnError, EngineOverloaded, RetryLater
from procos.model.job import Failed, Job
from procos.runtime.worker import WorkerCounts
from tests.unit.runtime.gates import Gates, In, Out
from tests.unit.runtime.memory_jobs import MemoryJobs
from tests.unit.runtime.workers import settle, until, worker_for

pytestmark = pytest.mark.anyio

TYPE = "tde.some"
NO_GRACE = timedelta(0)
GRACE = timedelta(seconds=5)


async def greet(data: In) -> Out:
    return Out(text=f"Hello {data.name}")


@contextlib.asynccontextmanager
async def draining_at_the_end(jobs: MemoryJobs, function: Any, grace: timedelta, **options: Any):
    """Runs a worker, drains it at the end with `grace`, and makes sure that it ended by that."""
    worker = worker_for(jobs, function, **options)
    task = asyncio.create_task(worker.run())
    yield worker
    async with asyncio.timeout(8):
        await worker.drain(grace)
        assert worker.jobs_in_hand == 0
        await task


async def test_a_worker_that_waits_for_jobs_drains_at_once():
    jobs = MemoryJobs()
    async with draining_at_the_end(jobs, greet, GRACE):
        await jobs.until(lambda: jobs.calls == ["activate"])

    assert jobs.calls == ["activate"]


async def test_a_worker_that_waits_for_the_engine_drains_at_once():
    jobs = MemoryJobs()
    jobs.go_away()
    async with draining_at_the_end(jobs, greet, GRACE):
        await jobs.until(lambda: jobs.calls)


async def test_a_worker_that_never_ran_drains_at_once_and_never_runs():
    jobs = MemoryJobs()
    jobs.add(TYPE)
    async with draining_at_the_end(jobs, greet, GRACE):
        pass

    assert jobs.calls == []


async def test_draining_finishes_what_ends_within_the_grace():
    jobs, gates = MemoryJobs(), Gates()
    key = jobs.add(TYPE, name="a")

    async with draining_at_the_end(jobs, gates.enter, GRACE) as worker:
        await gates.has_started(1)
        asyncio.get_running_loop().call_later(0.05, gates.open, "a")

    assert jobs.completed == {key: {"text": "done a"}}
    assert worker.counts == WorkerCounts(completed=1)


async def test_draining_takes_no_more_jobs():
    jobs, gates = MemoryJobs(), Gates()
    jobs.add(TYPE, name="a")

    async with draining_at_the_end(jobs, gates.enter, GRACE, slots=2):
        await gates.has_started(1)
        asyncio.get_running_loop().call_later(0.05, jobs.add, TYPE)
        asyncio.get_running_loop().call_later(0.1, gates.open, "a")

    assert gates.started == ["a"]


async def test_draining_hands_the_rest_back_with_retries_unchanged():
    jobs, gates = MemoryJobs(), Gates()
    quick, slow = jobs.add(TYPE, name="quick"), jobs.add(TYPE, name="slow", retries=2)

    async with draining_at_the_end(jobs, gates.enter, timedelta(seconds=0.1)) as worker:
        await gates.has_started(2)
        gates.open("quick")

    assert list(jobs.completed) == [quick]
    assert jobs.failures == [(slow, Failed("handed back: the worker is stopping", retries=2))]
    assert gates.stopped == ["slow"]
    assert jobs.retries_of(slow) == 2
    assert jobs.incidents == {}
    assert worker.counts == WorkerCounts(completed=1, handed_back=1)
    again = await jobs.activate(TYPE, worker="next", max_jobs=9, lease=GRACE)
    assert [job.key for job in again] == [slow], "it is free at once"


async def test_a_sync_function_that_still_runs_is_handed_back():
    jobs, go_on = MemoryJobs(), threading.Event()
    loop, started = asyncio.get_running_loop(), asyncio.Event()

    def wait(data: In) -> Out:
        loop.call_soon_threadsafe(started.set)
        go_on.wait(10)
        return Out(text="too late")

    key = jobs.add(TYPE)
    async with draining_at_the_end(jobs, wait, NO_GRACE):
        await started.wait()
    go_on.set()

    assert jobs.failures == [(key, Failed("handed back: the worker is stopping", retries=3))]


async def test_a_job_that_arrives_in_the_moment_of_the_drain_is_finished_or_handed_back():
    for wait_first in (0, 1, 2, 3):
        jobs = MemoryJobs()
        async with draining_at_the_end(jobs, greet, GRACE):
            await jobs.until(lambda jobs=jobs: jobs.calls)
            key = jobs.add(TYPE, name="late")
            for _ in range(wait_first):
                await asyncio.sleep(0)
        await settle()

        taken = jobs.activations == [key]
        handed_back = [(failed, outcome.retries) for failed, outcome in jobs.failures] == [(key, 3)]
        assert (key in jobs.completed or handed_back) == taken
        assert jobs.calls.count("deliver") == len(jobs.activations)


async def test_a_result_on_its_way_is_delivered_though_the_grace_is_over():
    jobs = MemoryJobs()
    key = jobs.add(TYPE, name="Ann")
    jobs.refuse("deliver", EngineOverloaded("busy"), times=3)

    async with draining_at_the_end(jobs, greet, NO_GRACE):
        await jobs.until(lambda: "deliver" in jobs.calls)

    assert jobs.completed == {key: {"text": "Hello Ann"}}
    assert jobs.failures == []


async def test_work_that_finishes_while_it_is_being_stopped_is_delivered():
    jobs, gates = MemoryJobs(), Gates()

    async def stubborn(data: In) -> Out:
        with contextlib.suppress(asyncio.CancelledError):
            await gates.enter(data)
        return Out(text="finished after all")

    key = jobs.add(TYPE, name="a")
    async with draining_at_the_end(jobs, stubborn, NO_GRACE):
        await gates.has_started(1)

    assert jobs.completed == {key: {"text": "finished after all"}}


async def test_draining_does_not_wait_for_an_engine_that_is_away():
    jobs, gates = MemoryJobs(), Gates()
    jobs.add(TYPE, name="a")

    async with draining_at_the_end(jobs, gates.enter, NO_GRACE, lease=timedelta(minutes=5)) as worker:
        worker.hand_back_within = timedelta(seconds=0.1)
        await gates.has_started(1)
        jobs.go_away()

    assert worker.counts == WorkerCounts()
    assert jobs.failures == []


async def test_draining_does_not_wait_for_a_function_that_cannot_be_stopped():
    jobs, gates, let_go = MemoryJobs(), Gates(), asyncio.Event()

    async def unstoppable(data: In) -> Out:
        with contextlib.suppress(asyncio.CancelledError):
            await gates.enter(data)
        with contextlib.suppress(asyncio.CancelledError):
            await let_go.wait()
        await let_go.wait()
        return Out(text="")

    jobs.add(TYPE, name="a")
    async with draining_at_the_end(jobs, unstoppable, NO_GRACE) as worker:
        worker.hand_back_within = timedelta(seconds=0.1)
        await gates.has_started(1)
    let_go.set()
    await settle()


class SlowToEnd(MemoryJobs):
    """Gives out a job that comes while its request is being cancelled, which takes a few moments."""

    async def activate(self, job_type: str, **asked: Any) -> list[Job]:
        try:
            return await super().activate(job_type, **asked)
        except asyncio.CancelledError:
            for _ in range(10):
                await asyncio.sleep(0)
            self.add(job_type)
            return await super().activate(job_type, **{**asked, "wait": timedelta(0)})


async def test_jobs_that_the_source_gives_out_while_it_is_being_cancelled_are_not_lost():
    jobs = SlowToEnd(streams_are_silent=True)
    async with draining_at_the_end(jobs, greet, GRACE):
        await jobs.until(lambda: jobs.calls.count("activate") == 2)

    assert len(jobs.activations) == 1
    assert jobs.failures == [(jobs.activations[0], Failed("handed back: no slot is free", retries=3))]


async def test_what_the_stream_still_brings_is_handed_back():
    jobs, gates = MemoryJobs(), Gates()
    gates.open("quick")
    jobs.add(TYPE, name="quick")
    async with draining_at_the_end(jobs, gates.enter, NO_GRACE, slots=1):
        await jobs.until(lambda: jobs.completed and "stream" in jobs.calls)
        await settle()
        for name in "abcd":
            jobs.add(TYPE, name=name)

    assert len(jobs.completed) == 1
    assert len(jobs.activations) > 1
    assert sorted(key for key, _ in jobs.failures) == sorted(jobs.activations[1:])
    assert {failed.retries for _, failed in jobs.failures} == {3}


async def test_jobs_that_are_ready_are_handed_back_and_not_started():
    jobs, gates = MemoryJobs(), Gates()
    gates.open("quick", "runs")
    jobs.add(TYPE, name="quick")
    async with draining_at_the_end(jobs, gates.enter, GRACE, slots=1) as worker:
        await jobs.until(lambda: len(jobs.completed) == 1)
        await settle()
        gates._open["runs"].clear()
        jobs.add(TYPE, name="runs")
        ready = jobs.add(TYPE, name="ready")
        await jobs.until(lambda: ready in jobs.activations)
        await gates.has_started(2)
        assert worker.jobs_in_hand == 2
        asyncio.get_running_loop().call_later(0.05, gates.open, "runs")

    assert gates.started == ["quick", "runs"]
    assert jobs.failures == [(ready, Failed("handed back: no slot is free", retries=3))]


async def test_a_job_that_waits_for_its_next_attempt_is_given_to_the_engine_with_the_rest_of_its_wait():
    def fail(data: In) -> Out:
        raise RetryLater("not now", after=timedelta(seconds=9))

    jobs = MemoryJobs()
    key = jobs.add(TYPE)
    async with draining_at_the_end(jobs, fail, GRACE) as worker:
        await until(lambda: worker._outbox._own_backoffs == 1)
        assert jobs.failures == []

    ((failed_key, failed),) = jobs.failures
    assert (failed_key, failed.message, failed.retries) == (key, "not now", 2)
    assert timedelta(seconds=5) < failed.backoff < timedelta(seconds=9)


async def test_a_failure_that_only_the_cancellation_caused_costs_no_retry():
    jobs, gates = MemoryJobs(), Gates()

    async def misled(data: In) -> Out:
        try:
            return await gates.enter(data)
        except asyncio.CancelledError:
            raise ConnectionError("the connection broke") from None

    key = jobs.add(TYPE, retries=1, name="a", headers={"errorCode": "FAILED"})
    async with draining_at_the_end(jobs, misled, NO_GRACE):
        await gates.has_started(1)

    assert jobs.failures == [(key, Failed("handed back: the worker is stopping", retries=1))]


async def test_what_a_function_says_on_purpose_while_it_is_being_cancelled_counts():
    jobs, gates = MemoryJobs(), Gates()

    async def decided(data: In) -> Out:
        try:
            return await gates.enter(data)
        except asyncio.CancelledError:
            raise BpmnError("HALF_DONE") from None

    jobs.add(TYPE, name="a")
    async with draining_at_the_end(jobs, decided, NO_GRACE):
        await gates.has_started(1)

    assert [thrown.code for _, thrown in jobs.thrown] == ["HALF_DONE"]


async def test_a_function_that_cannot_be_stopped_is_named_in_the_log(caplog):
    jobs, gates, let_go = MemoryJobs(), Gates(), asyncio.Event()

    async def unstoppable(data: In) -> Out:
        for _ in range(2):
            with contextlib.suppress(asyncio.CancelledError):
                await gates.enter(data)
        await let_go.wait()
        return Out(text="")

    key = jobs.add(TYPE, name="a")
    async with draining_at_the_end(jobs, unstoppable, NO_GRACE) as worker:
        worker.hand_back_within = timedelta(seconds=0.05)
        await gates.has_started(1)
    let_go.set()
    await settle()

    assert f"job {key} of 'tde.some' cannot be stopped; it is left to itself" in caplog.text


async def test_after_the_drain_no_timer_and_no_task_of_the_worker_is_left():
    jobs, gates = MemoryJobs(), Gates()
    for name in "ab":
        jobs.add(TYPE, name=name)
    before = asyncio.all_tasks()
    async with draining_at_the_end(jobs, gates.enter, NO_GRACE, slots=1, lease=timedelta(milliseconds=50)):
        await gates.has_started(1)
    renewals = len(jobs.renewals)
    await asyncio.sleep(0.1)

    assert len(jobs.renewals) == renewals
    assert asyncio.all_tasks() == before
