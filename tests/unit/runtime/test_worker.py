"""A worker: its slots, its leases, an engine that comes and goes, and its end."""

import asyncio
import contextlib
import threading
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from procos.errors import BpmnError, EngineError, EngineOverloaded, EngineTimeout, EngineUnavailable, GiveUp
from procos.model.job import Failed
from procos.runtime.worker import WorkerCounts
from tests.unit.runtime.memory_jobs import MemoryJobs
from tests.unit.runtime.workers import running, settle, worker_for

pytestmark = pytest.mark.anyio

TYPE = "tde.some"
NO_GRACE = timedelta(0)
GRACE = timedelta(seconds=5)
SHORT_LEASE = timedelta(milliseconds=600)
VERY_SHORT_LEASE = timedelta(milliseconds=100)
FAULTS = [EngineOverloaded("busy"), EngineUnavailable("away"), EngineTimeout("slow")]


class In(BaseModel):
    name: str = ""


class Out(BaseModel):
    text: str


class Gates:
    """Functions that stand still until a test opens their gate."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.stopped: list[str] = []
        self.most_at_once = 0
        self._inside = 0
        self._open: dict[str, asyncio.Event] = {}
        self._moved = asyncio.Condition()

    async def enter(self, data: In) -> Out:
        self.started.append(data.name)
        self._inside += 1
        self.most_at_once = max(self.most_at_once, self._inside)
        await self._tell()
        try:
            await self._gate(data.name).wait()
        except asyncio.CancelledError:
            self.stopped.append(data.name)
            raise
        finally:
            self._inside -= 1
        return Out(text=f"done {data.name}")

    def open(self, *names: str) -> None:
        for name in names:
            self._gate(name).set()

    async def has_started(self, count: int) -> None:
        async with asyncio.timeout(10), self._moved:
            await self._moved.wait_for(lambda: len(self.started) >= count)

    async def _tell(self) -> None:
        async with self._moved:
            self._moved.notify_all()

    def _gate(self, name: str) -> asyncio.Event:
        return self._open.setdefault(name, asyncio.Event())


async def greet(data: In) -> Out:
    return Out(text=f"Hello {data.name}")


# Work


async def test_jobs_are_done_and_counted():
    jobs = MemoryJobs()
    keys = [jobs.add(TYPE, name=name, unasked="x") for name in ("Ann", "Bob")]

    async with running(worker_for(jobs, greet)) as worker:
        await jobs.until(lambda: len(jobs.completed) == 2)
        await settle()
        assert worker.counts == WorkerCounts(completed=2)
        assert worker.jobs_in_hand == 0

    assert jobs.completed == {keys[0]: {"text": "Hello Ann"}, keys[1]: {"text": "Hello Bob"}}


async def test_each_kind_of_end_is_counted():
    def end(data: In) -> Out:
        raise {"bpmn": BpmnError("CODE"), "give up": GiveUp("no")}[data.name]

    jobs = MemoryJobs()
    thrown, given_up = jobs.add(TYPE, name="bpmn"), jobs.add(TYPE, name="give up")

    async with running(worker_for(jobs, end)) as worker:
        await jobs.until(lambda: jobs.thrown and jobs.incidents)
        await settle()
        assert worker.counts == WorkerCounts(failed=1, errors_thrown=1)

    assert [key for key, _ in jobs.thrown] == [thrown]
    assert jobs.incidents == {given_up: "no"}


async def test_only_jobs_of_the_tdes_type_are_taken():
    jobs = MemoryJobs()
    jobs.add("tde.other", name="x")
    mine = jobs.add(TYPE, name="y")

    async with running(worker_for(jobs, greet)):
        await jobs.until(lambda: mine in jobs.completed)
        await settle()

    assert jobs.activations == [mine]


async def test_a_failing_job_runs_until_its_retries_are_used_up_and_is_an_incident_then():
    attempts: list[str] = []

    def fail(data: In) -> Out:
        attempts.append(data.name)
        raise ValueError("no good")

    jobs = MemoryJobs()
    key = jobs.add(TYPE, name="x", retries=3)

    async with running(worker_for(jobs, fail)):
        await jobs.until(lambda: jobs.incidents)

    assert attempts == ["x"] * 3
    assert [failed.retries for _, failed in jobs.failures] == [2, 1, 0]
    assert jobs.incidents == {key: "ValueError: no good"}


async def test_a_job_whose_worker_vanished_comes_back_after_its_lease():
    jobs = MemoryJobs()
    key = jobs.add(TYPE, name="Ann")
    await jobs.activate(TYPE, worker="vanished", max_jobs=1, lease=timedelta(milliseconds=50))

    async with running(worker_for(jobs, greet)):
        await jobs.until(lambda: jobs.completed)

    assert jobs.activations == [key, key]


# Slots


async def test_there_are_never_more_handlers_than_slots():
    jobs, gates = MemoryJobs(), Gates()
    names = [f"job {number}" for number in range(12)]
    for name in names:
        jobs.add(TYPE, name=name)

    async with running(worker_for(jobs, gates.enter, slots=3)) as worker:
        await gates.has_started(3)
        await settle()
        assert gates.started == names[:3]
        assert worker.jobs_in_hand == 3
        assert len(jobs.activations) == 3, "a job that no slot is free for stays with the engine"
        gates.open(*names)
        await jobs.until(lambda: len(jobs.completed) == 12)

    assert gates.most_at_once == 3


async def test_a_slot_is_filled_again_as_soon_as_it_is_free():
    jobs, gates = MemoryJobs(), Gates()
    for name in "abcd":
        jobs.add(TYPE, name=name)

    async with running(worker_for(jobs, gates.enter, slots=2)):
        await gates.has_started(2)
        gates.open("b")
        await gates.has_started(3)
        assert gates.started == ["a", "b", "c"]
        gates.open("c")
        await gates.has_started(4)
        assert gates.stopped == []
        gates.open("a", "d")
        await jobs.until(lambda: len(jobs.completed) == 4)


async def test_a_slot_is_free_again_after_a_failure_too():
    def fail(data: In) -> Out:
        raise GiveUp("no")

    jobs = MemoryJobs()
    for name in "abc":
        jobs.add(TYPE, name=name)

    async with running(worker_for(jobs, fail, slots=1)):
        await jobs.until(lambda: len(jobs.incidents) == 3)


# An engine that is busy, or away


@pytest.mark.parametrize("error", [*FAULTS, EngineError("?")])
async def test_asking_for_jobs_goes_on_after_a_fault(error, caplog):
    jobs = MemoryJobs()
    jobs.refuse("activate", error, times=2)
    key = jobs.add(TYPE, name="Ann")

    async with running(worker_for(jobs, greet)):
        await jobs.until(lambda: key in jobs.completed)

    told = 0 if isinstance(error, EngineOverloaded) else 1
    assert caplog.text.count("waits for the engine") == told, "said once, not at each try; backpressure is no news"


async def test_an_engine_that_goes_away_while_the_worker_waits_is_waited_for():
    jobs = MemoryJobs()
    async with running(worker_for(jobs, greet)):
        await jobs.until(lambda: "activate" in jobs.calls)
        jobs.go_away()
        await jobs.until(lambda: jobs.calls.count("activate") > 1)
        jobs.come_back()
        key = jobs.add(TYPE, name="Ann")
        await jobs.until(lambda: key in jobs.completed)


@pytest.mark.parametrize("error", FAULTS)
async def test_finished_work_is_delivered_and_never_failed(error):
    jobs = MemoryJobs()
    jobs.refuse("deliver", error, times=3)
    key = jobs.add(TYPE, name="Ann")

    async with running(worker_for(jobs, greet)) as worker:
        await jobs.until(lambda: key in jobs.completed)
        await settle()
        assert worker.counts == WorkerCounts(completed=1)

    assert jobs.failures == []
    assert jobs.activations == [key]


async def test_work_in_hand_is_finished_when_the_engine_comes_back():
    jobs, gates = MemoryJobs(), Gates()
    key = jobs.add(TYPE, name="a")

    async with running(worker_for(jobs, gates.enter)):
        await gates.has_started(1)
        jobs.go_away()
        gates.open("a")
        await jobs.until(lambda: jobs.calls.count("deliver") >= 2)
        jobs.come_back()
        await jobs.until(lambda: key in jobs.completed)

    assert gates.started == ["a"]


async def test_a_result_that_is_too_large_is_an_incident_and_counts_as_failed():
    jobs = MemoryJobs(largest_result=100)
    key = jobs.add(TYPE, name="x" * 200)

    async with running(worker_for(jobs, greet)) as worker:
        await jobs.until(lambda: jobs.incidents)
        await settle()
        assert worker.counts == WorkerCounts(failed=1)

    assert "exceeds maximum size" in jobs.incidents[key]


async def test_what_the_engine_did_not_take_is_not_counted():
    jobs, gates = MemoryJobs(), Gates()
    key = jobs.add(TYPE, name="a")

    async with running(worker_for(jobs, gates.enter)) as worker:
        await gates.has_started(1)
        jobs.cancel(key)
        gates.open("a")
        await jobs.until(lambda: "deliver" in jobs.calls)
        await settle()
        assert worker.counts == WorkerCounts()


# Leases


async def test_the_lease_of_a_long_job_is_renewed():
    jobs, gates = MemoryJobs(), Gates()
    key = jobs.add(TYPE, name="long")

    async with running(worker_for(jobs, gates.enter, lease=SHORT_LEASE)):
        await jobs.until(lambda: len(jobs.renewals) >= 2)
        gates.open("long")
        await jobs.until(lambda: key in jobs.completed)

    assert jobs.activations == [key]


async def test_a_sync_function_keeps_its_lease_too():
    jobs, go_on = MemoryJobs(), threading.Event()

    def wait(data: In) -> Out:
        go_on.wait(10)
        return Out(text="done")

    key = jobs.add(TYPE)
    async with running(worker_for(jobs, wait, lease=SHORT_LEASE)):
        await jobs.until(lambda: len(jobs.renewals) >= 2)
        go_on.set()
        await jobs.until(lambda: key in jobs.completed)

    assert jobs.activations == [key]


@pytest.mark.parametrize("error", FAULTS)
async def test_a_renewal_that_fails_is_tried_again_before_the_lease_is_over(error):
    jobs, gates = MemoryJobs(), Gates()
    jobs.refuse("renew", error, times=2)
    key = jobs.add(TYPE, name="long")

    async with running(worker_for(jobs, gates.enter, lease=SHORT_LEASE)):
        await jobs.until(lambda: jobs.renewals)
        gates.open("long")
        await jobs.until(lambda: key in jobs.completed)

    assert jobs.activations == [key], "nobody else got the job"


async def test_the_work_for_a_job_that_is_gone_is_stopped():
    jobs, gates = MemoryJobs(), Gates()
    gone = jobs.add(TYPE, name="gone")

    async with running(worker_for(jobs, gates.enter, slots=1, lease=VERY_SHORT_LEASE)) as worker:
        await gates.has_started(1)
        jobs.cancel(gone)
        jobs.add(TYPE, name="next")
        await gates.has_started(2)
        assert gates.stopped == ["gone"]
        assert gates.started == ["gone", "next"]
        assert worker.counts == WorkerCounts()
        gates.open("next")
        await jobs.until(lambda: jobs.completed)

    assert jobs.calls.count("deliver") == 1


async def test_work_that_cannot_be_stopped_in_time_is_not_delivered_for_a_job_that_is_gone():
    jobs, gates = MemoryJobs(), Gates()

    async def stubborn(data: In) -> Out:
        with contextlib.suppress(asyncio.CancelledError):
            await gates.enter(data)
        return Out(text="stubborn")

    gone = jobs.add(TYPE, name="gone")
    async with running(worker_for(jobs, stubborn, lease=VERY_SHORT_LEASE)) as worker:
        await gates.has_started(1)
        jobs.cancel(gone)
        await jobs.until(lambda: "renew" in jobs.calls)
        await settle()
        assert worker.jobs_in_hand == 0
        assert worker.counts == WorkerCounts()

    assert "deliver" not in jobs.calls


async def test_a_tde_that_cancels_itself_fails_its_job():
    async def cancelling(data: In) -> Out:
        raise asyncio.CancelledError

    jobs = MemoryJobs()
    key = jobs.add(TYPE, retries=1)
    async with running(worker_for(jobs, cancelling)):
        await jobs.until(lambda: jobs.incidents)

    assert "CancelledError" in jobs.incidents[key]


# The end


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
