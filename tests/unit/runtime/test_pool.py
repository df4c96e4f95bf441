"""All workers of a process: started, counted, and drained together or apart."""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from procos.errors import GiveUp
from procos.model.kernel_state import WorkerReport
from procos.runtime.pool import WorkerPool
from procos.runtime.worker import Worker
from procos.sdk import Tde
from tests.unit.runtime.memory_jobs import MemoryJobs
from tests.unit.runtime.workers import settle, tde_of, worker_for

pytestmark = pytest.mark.anyio

GRACE = timedelta(seconds=5)


class In(BaseModel):
    name: str = ""


async def do(data: In) -> None:
    return None


async def refuse(data: In) -> None:
    raise GiveUp("no")


def pool_on(jobs: MemoryJobs) -> WorkerPool:
    def make_worker(tde: Tde[..., Any], lease: timedelta | None) -> Worker:
        worker = worker_for(jobs, tde)
        return worker if lease is None else replace(worker, lease=lease)

    return WorkerPool(make_worker)


async def test_jobs_that_must_come_back_soon_are_leased_for_a_shorter_time():
    jobs = MemoryJobs()
    found = pool_on(jobs)
    found.start([tde_of(do, name="one")], lease=timedelta(seconds=7))
    assert found._workers["tde.one"].lease == timedelta(seconds=7)
    await found.drain(timedelta(0))


async def test_each_tde_gets_a_worker_and_each_worker_its_own_report():
    jobs = MemoryJobs()
    done, refused = jobs.add("tde.do"), jobs.add("tde.refuse")
    pool = pool_on(jobs)

    pool.start([tde_of(do, name="do"), tde_of(refuse, name="refuse")])
    await jobs.until(lambda: done in jobs.completed and refused in jobs.incidents)
    await settle()

    assert pool.reports() == (
        WorkerReport(job_type="tde.do", in_hand=0, completed=1, failed=0, errors_thrown=0),
        WorkerReport(job_type="tde.refuse", in_hand=0, completed=0, failed=1, errors_thrown=0),
    )
    await pool.drain(GRACE)


async def test_a_report_says_what_is_in_hand():
    jobs, go_on = MemoryJobs(), asyncio.Event()

    async def wait(data: In) -> None:
        await go_on.wait()

    pool = pool_on(jobs)
    jobs.add("tde.wait")
    jobs.add("tde.wait")
    pool.start([tde_of(wait, name="wait")])
    await jobs.until(lambda: len(jobs.activations) == 2)
    await jobs.until(lambda: pool.reports()[0].in_hand == 2)
    go_on.set()
    await pool.drain(GRACE)

    assert len(jobs.completed) == 2


async def test_draining_some_leaves_the_others_at_work():
    jobs = MemoryJobs()
    pool = pool_on(jobs)
    pool.start([tde_of(do, name="own"), tde_of(do, name="other")])

    await pool.drain(GRACE, ["tde.own"])

    assert [report.job_type for report in pool.reports()] == ["tde.other"]
    jobs.add("tde.own")
    key = jobs.add("tde.other")
    await jobs.until(lambda: key in jobs.completed)
    assert jobs.activations == [key]
    await pool.drain(GRACE)
    assert pool.reports() == ()


async def test_more_workers_can_be_started_later():
    jobs = MemoryJobs()
    pool = pool_on(jobs)
    pool.start([tde_of(do, name="own")])
    await pool.drain(GRACE)
    pool.start([tde_of(do, name="own"), tde_of(do, name="late")])
    keys = [jobs.add("tde.own"), jobs.add("tde.late")]

    await jobs.until(lambda: set(keys) == set(jobs.completed))
    await pool.drain(GRACE)


async def test_an_empty_pool_drains():
    pool = pool_on(MemoryJobs())
    await pool.drain(GRACE)

    assert pool.reports() == ()


async def test_a_drain_that_was_interrupted_can_be_repeated():
    for steps in range(30):
        jobs = MemoryJobs()
        pool = pool_on(jobs)
        pool.start([tde_of(do, name="own"), tde_of(do, name="other")])
        await jobs.until(lambda jobs=jobs: jobs.calls.count("activate") == 2)
        first = asyncio.create_task(pool.drain(GRACE, ["tde.own"]))
        for _ in range(steps):
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

        await pool.drain(GRACE)

        assert pool.reports() == ()


async def test_a_defect_in_taking_jobs_is_logged_and_leaves_the_worker_at_work(caplog):
    class Broken(MemoryJobs):
        async def activate(self, *_: Any, **__: Any) -> Any:
            raise ZeroDivisionError("a defect of ours")

    pool = pool_on(Broken())
    with caplog.at_level(logging.WARNING):
        pool.start([tde_of(do, name="own")])
        await settle()

    assert "worker for 'tde.own' waits" in caplog.text
    assert "ZeroDivisionError: a defect of ours" in caplog.text
    assert [report.job_type for report in pool.reports()] == ["tde.own"]
    async with asyncio.timeout(5):
        await pool.drain(GRACE)
