"""Results on their way: short backoffs waited for here, long ones left to the engine."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from procos.errors import GiveUp, RetryLater
from procos.model.job import Failed
from procos.runtime import outbox
from procos.runtime.outbox import LONGEST_OWN_BACKOFF
from tests.unit.runtime.gates import In, Out
from tests.unit.runtime.memory_jobs import MemoryJobs
from tests.unit.runtime.workers import running, settle, until, worker_for

pytestmark = pytest.mark.anyio

TYPE = "tde.some"


def waiting(after: timedelta, *, keep_retries: bool = False, attempts: list[str] | None = None) -> Any:
    """A function that fails at its first attempt at a job and wants the next one `after` a while."""
    seen = [] if attempts is None else attempts

    def fail(data: In) -> Out:
        seen.append(data.name)
        if seen.count(data.name) == 1:
            raise RetryLater("not now", after=after, keep_retries=keep_retries)
        return Out(text="now")

    return fail


async def test_a_short_backoff_is_waited_for_here_and_the_engine_hears_of_none():
    jobs, attempts = MemoryJobs(), []
    key = jobs.add(TYPE, name="a")
    after = timedelta(milliseconds=300)
    async with running(worker_for(jobs, waiting(after, attempts=attempts))):
        await until(lambda: attempts)
        await settle()
        assert jobs.failures == [], "not before it is over"
        await jobs.until(lambda: key in jobs.completed)

    assert jobs.failures == [(key, Failed("not now", retries=2))]
    assert attempts == ["a", "a"]


async def test_the_lease_is_renewed_meanwhile():
    jobs = MemoryJobs()
    key = jobs.add(TYPE, name="a")
    function = waiting(timedelta(milliseconds=700))
    async with running(worker_for(jobs, function, lease=timedelta(milliseconds=400))):
        await jobs.until(lambda: key in jobs.completed)

    assert jobs.renewals
    assert jobs.activations == [key, key], "once for each attempt"


async def test_no_slot_is_taken_meanwhile():
    jobs, attempts = MemoryJobs(), []
    jobs.add(TYPE, name="waits")
    async with running(worker_for(jobs, waiting(LONGEST_OWN_BACKOFF, attempts=attempts), slots=1)) as worker:
        await until(lambda: attempts)
        jobs.add(TYPE, name="runs")
        await until(lambda: attempts == ["waits", "runs"])
        await settle()
        assert worker.jobs_in_hand == 2


async def test_a_long_backoff_is_left_to_the_engine_at_once():
    jobs = MemoryJobs()
    key = jobs.add(TYPE, name="a")
    after = LONGEST_OWN_BACKOFF + timedelta(seconds=1)
    async with running(worker_for(jobs, waiting(after))):
        await jobs.until(lambda: jobs.failures)

    assert jobs.failures == [(key, Failed("not now", retries=2, backoff=after))]


async def test_only_so_many_wait_here():
    jobs = MemoryJobs()
    for number in range(outbox.MOST_OWN_BACKOFFS + 3):
        jobs.add(TYPE, name=str(number))
    async with running(worker_for(jobs, waiting(LONGEST_OWN_BACKOFF), slots=200)) as worker:
        await jobs.until(lambda: len(jobs.failures) == 3)
        await settle()
        assert {failed.backoff for _, failed in jobs.failures} == {LONGEST_OWN_BACKOFF}
        assert worker.jobs_in_hand == outbox.MOST_OWN_BACKOFFS


async def test_the_next_may_wait_here_when_one_is_over(monkeypatch):
    monkeypatch.setattr(outbox, "MOST_OWN_BACKOFFS", 1)
    jobs, attempts = MemoryJobs(), []
    jobs.add(TYPE, name="first")
    async with running(worker_for(jobs, waiting(timedelta(milliseconds=50), attempts=attempts))):
        await jobs.until(lambda: len(jobs.completed) == 1)
        jobs.add(TYPE, name="second")
        await jobs.until(lambda: len(jobs.completed) == 2)

    assert [failed.backoff for _, failed in jobs.failures] == [timedelta(0)] * 2


async def test_a_failure_for_good_is_told_at_once():
    def fail(data: In) -> Out:
        raise GiveUp("never")

    jobs = MemoryJobs()
    key = jobs.add(TYPE)
    async with running(worker_for(jobs, fail)):
        await jobs.until(lambda: jobs.incidents)

    assert jobs.failures == [(key, Failed("never", retries=0))]


async def test_a_wait_that_keeps_its_retries_counts_as_no_failure():
    jobs = MemoryJobs()
    key = jobs.add(TYPE, name="a", retries=1)
    function = waiting(timedelta(milliseconds=10), keep_retries=True)
    async with running(worker_for(jobs, function)) as worker:
        await jobs.until(lambda: key in jobs.completed)
        await settle()
        assert (worker.counts.failed, worker.counts.completed) == (0, 1)

    assert jobs.failures == [(key, Failed("not now", retries=1))]


async def test_a_drain_does_not_wait_for_backoffs():
    jobs = MemoryJobs()
    keys = [jobs.add(TYPE, name=str(number)) for number in range(3)]
    worker = worker_for(jobs, waiting(LONGEST_OWN_BACKOFF))
    task = asyncio.create_task(worker.run())
    await until(lambda: worker._outbox._own_backoffs == 3)
    async with asyncio.timeout(5):
        await worker.drain(timedelta(seconds=30))
        await task

    assert sorted(key for key, _ in jobs.failures) == keys
    assert all(timedelta(seconds=5) < failed.backoff < LONGEST_OWN_BACKOFF for _, failed in jobs.failures)
