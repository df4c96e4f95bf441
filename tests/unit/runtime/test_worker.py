"""A worker: its slots, its leases, and an engine that comes and goes."""

import asyncio
import contextlib
import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from procos.errors import BpmnError, EngineError, EngineOverloaded, EngineTimeout, EngineUnavailable, GiveUp
from procos.model.job import Failed, Job, Outcome
from procos.runtime import stream_reader
from procos.runtime import worker as worker_module
from procos.runtime.worker import WorkerCounts
from procos.sdk import TaskContext
from procos.sdk.registration import NoConfig
from tests.unit.runtime.gates import Gates, In, Out
from tests.unit.runtime.memory_jobs import MemoryJobs
from tests.unit.runtime.workers import running, settle, worker_for

pytestmark = pytest.mark.anyio

TYPE = "tde.some"
GRACE = timedelta(seconds=5)
SHORT_LEASE = timedelta(milliseconds=600)
VERY_SHORT_LEASE = timedelta(milliseconds=100)
FAULTS = [EngineOverloaded("busy"), EngineUnavailable("away"), EngineTimeout("slow")]


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


async def test_a_renewal_goes_on_while_the_result_is_being_delivered():
    class Slow(MemoryJobs):
        async def deliver(self, job: Job, outcome: Outcome) -> None:
            await self.until(lambda: len(self.renewals) >= 2)
            await super().deliver(job, outcome)

    jobs = Slow()
    key = jobs.add(TYPE, name="Ann")

    async with running(worker_for(jobs, greet, lease=SHORT_LEASE)):
        await jobs.until(lambda: key in jobs.completed)

    assert jobs.activations == [key], "nobody else got the job"


async def test_a_sync_function_is_told_that_its_job_is_gone():
    jobs, told = MemoryJobs(), threading.Event()
    loop, started = asyncio.get_running_loop(), asyncio.Event()

    def work(data: In, context: TaskContext[NoConfig]) -> Out:
        loop.call_soon_threadsafe(started.set)
        while not context.cancelled:
            time.sleep(0.005)
        told.set()
        return Out(text="too late")

    key = jobs.add(TYPE)
    async with running(worker_for(jobs, work, lease=VERY_SHORT_LEASE)) as worker:
        await started.wait()
        jobs.cancel(key)
        assert await asyncio.to_thread(told.wait, 10)
        await settle()
        assert worker.jobs_in_hand == 0

    assert "deliver" not in jobs.calls


async def test_a_sync_function_is_told_that_its_time_is_over():
    jobs, told = MemoryJobs(), threading.Event()

    def work(data: In, context: TaskContext[NoConfig]) -> Out:
        while not context.cancelled:
            time.sleep(0.005)
        told.set()
        return Out(text="too late")

    key = jobs.add(TYPE, retries=1)
    async with running(worker_for(jobs, work, time_limit=timedelta(milliseconds=20))):
        await jobs.until(lambda: key in jobs.incidents)
        assert await asyncio.to_thread(told.wait, 10)


async def test_a_failed_job_that_comes_back_before_the_engine_has_answered_is_run_again():
    class LateAnswer(MemoryJobs):
        async def deliver(self, job: Job, outcome: Outcome) -> None:
            await super().deliver(job, outcome)
            await settle()

    attempts: list[str] = []

    def fail(data: In) -> Out:
        attempts.append(data.name)
        raise ValueError("no good")

    jobs = LateAnswer()
    key = jobs.add(TYPE, name="x", retries=3)
    async with running(worker_for(jobs, fail)):
        await jobs.until(lambda: jobs.incidents)

    assert attempts == ["x"] * 3
    assert list(jobs.incidents) == [key]


async def test_a_job_whose_lease_ran_out_while_it_is_being_worked_on_is_not_run_twice():
    jobs, gates = MemoryJobs(), Gates()
    key = jobs.add(TYPE, name="a")
    jobs.refuse("renew", EngineUnavailable("away"), times=1000)

    async with running(worker_for(jobs, gates.enter, lease=VERY_SHORT_LEASE)):
        await jobs.until(lambda: jobs.activations == [key, key])
        await settle()
        assert gates.started == ["a"]
        gates.open("a")
        await jobs.until(lambda: key in jobs.completed)


# Stream and polling together


async def test_stream_and_polling_together_never_run_more_functions_than_there_are_slots():
    jobs, gates = MemoryJobs(), Gates()
    waiting = [f"waited {number}" for number in range(6)]
    pushed = [f"pushed {number}" for number in range(6)]
    for name in waiting:
        jobs.add(TYPE, name=name)

    async with running(worker_for(jobs, gates.enter, slots=3)):
        await gates.has_started(3)
        for name in pushed:
            jobs.add(TYPE, name=name)
        await settle()
        assert len(gates.started) == 3
        gates.open(*waiting, *pushed)
        await jobs.until(lambda: len(jobs.completed) == 12)

    assert gates.most_at_once == 3
    assert sorted(gates.started) == sorted(waiting + pushed), "each ran once"


async def test_a_job_comes_by_the_stream_while_polling_is_refused():
    jobs = MemoryJobs()
    async with running(worker_for(jobs, greet)):
        await jobs.until(lambda: "stream" in jobs.calls and jobs.calls.count("activate") == 2)
        jobs.refuse("activate", EngineUnavailable("away"), times=1000)
        key = jobs.add(TYPE, name="Ann")
        await jobs.until(lambda: key in jobs.completed)


async def test_a_job_comes_by_polling_where_the_stream_is_silent():
    jobs = MemoryJobs(streams_are_silent=True)
    async with running(worker_for(jobs, greet)):
        await jobs.until(lambda: "stream" in jobs.calls)
        key = jobs.add(TYPE, name="Ann")
        await jobs.until(lambda: key in jobs.completed)


async def test_without_streams_jobs_are_only_asked_for():
    jobs = MemoryJobs()
    key = jobs.add(TYPE, name="Ann")
    async with running(worker_for(jobs, greet, streams=False)):
        await jobs.until(lambda: key in jobs.completed)
        await settle()

    assert "stream" not in jobs.calls


async def test_the_next_job_starts_before_the_last_result_is_delivered():
    class Slow(MemoryJobs):
        let_through = asyncio.Event()

        async def deliver(self, job: Job, outcome: Outcome) -> None:
            await self.let_through.wait()
            await super().deliver(job, outcome)

    jobs, gates = Slow(), Gates()
    gates.open("a", "b")
    for name in "ab":
        jobs.add(TYPE, name=name)
    async with running(worker_for(jobs, gates.enter, slots=1)) as worker:
        await gates.has_started(2)
        assert jobs.completed == {}
        assert worker.jobs_in_hand == 2
        jobs.let_through.set()
        await jobs.until(lambda: len(jobs.completed) == 2)


class Unclocked(MemoryJobs):
    """An engine whose clock a test sets back; a job that it streams may have waited on the way."""

    set_back: timedelta = timedelta(0)

    def _lease(self, entry: Any, worker: str, lease: timedelta) -> Job:
        leased = super()._lease(entry, worker, lease)
        return replace(leased, deadline=leased.deadline - self.set_back)


async def test_a_job_that_was_stuck_in_the_stream_past_its_lease_is_not_run():
    jobs, gates = Unclocked(), Gates()
    gates.open("fresh", "stale")
    first = jobs.add(TYPE, name="fresh")
    async with running(worker_for(jobs, gates.enter, lease=GRACE)):
        await jobs.until(lambda: first in jobs.completed and "stream" in jobs.calls)
        await settle()
        jobs.refuse("activate", EngineUnavailable("away"), times=1000)
        jobs.set_back = GRACE * 2
        stale = jobs.add(TYPE, name="stale")
        await jobs.until(lambda: stale in jobs.activations)
        await settle()

    assert gates.started == ["fresh"]
    assert list(jobs.completed) == [first]


async def test_an_engine_whose_clock_is_set_back_keeps_its_worker():
    jobs = Unclocked()
    first = jobs.add(TYPE, name="before")
    async with running(worker_for(jobs, greet, streams=False)):
        await jobs.until(lambda: first in jobs.completed)
        jobs.set_back = timedelta(hours=1)
        second = jobs.add(TYPE, name="after")
        await jobs.until(lambda: second in jobs.completed)


# What cannot be started


async def test_what_no_slot_is_free_for_goes_back_with_its_retries(monkeypatch):
    monkeypatch.setattr(worker_module, "HAND_BACK_AFTER_S", 0.05)
    monkeypatch.setattr(stream_reader, "LOOK_EVERY_S", 0.02)
    jobs, gates = MemoryJobs(), Gates()
    gates.open("quick")
    quick = jobs.add(TYPE, name="quick")
    async with running(worker_for(jobs, gates.enter, slots=1)) as worker:
        await jobs.until(lambda: quick in jobs.completed and "stream" in jobs.calls)
        await settle()
        stuck, others = jobs.add(TYPE, name="stuck"), [jobs.add(TYPE, name=f"other {n}", retries=2) for n in range(3)]
        await jobs.until(lambda: {key for key, _ in jobs.failures} >= set(jobs.activations) - {quick, stuck})
        await jobs.until(lambda: jobs.failures)
        assert all(failed == Failed("handed back: no slot is free", retries=2) for _, failed in jobs.failures)
        assert {key for key, _ in jobs.failures} <= set(others)
        assert [jobs.retries_of(key) for key in others] == [2, 2, 2]
        assert worker.counts.handed_back == len(jobs.failures)
        gates.open("stuck", *(f"other {n}" for n in range(3)))
        await jobs.until(lambda: len(jobs.completed) == 5)

    assert sorted(gates.started) == sorted(["quick", "stuck", *(f"other {n}" for n in range(3))]), "each ran once"


async def test_a_ready_job_that_is_gone_meanwhile_is_not_run():
    jobs, gates = MemoryJobs(), Gates()
    gates.open("quick")
    jobs.add(TYPE, name="quick")
    async with running(worker_for(jobs, gates.enter, slots=1, lease=VERY_SHORT_LEASE)) as worker:
        await jobs.until(lambda: len(jobs.completed) == 1)
        await settle()
        jobs.add(TYPE, name="runs")
        ready = jobs.add(TYPE, name="ready")
        await jobs.until(lambda: ready in jobs.activations)
        await gates.has_started(2)
        jobs.cancel(ready)
        await jobs.until(lambda: jobs.calls.count("renew") >= 2)
        await settle()
        gates.open("runs", "ready")
        await jobs.until(lambda: len(jobs.completed) == 2)
        await settle()
        assert worker.jobs_in_hand == 0

    assert gates.started == ["quick", "runs"]


# Trouble


async def test_a_worker_says_why_it_takes_no_jobs():
    jobs = MemoryJobs()
    worker = worker_for(jobs, greet)
    assert worker.trouble == "it has not started"
    async with running(worker):
        await settle()
        assert worker.trouble is None
        jobs.go_away()
        await jobs.until(lambda: jobs.calls.count("activate") > 2)
        assert worker.trouble == "no engine answers at memory:1"
    assert worker.trouble == "it is stopping"
