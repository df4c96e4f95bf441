"""Is the process well, and do jobs flow?"""

import asyncio
import time
from datetime import timedelta

import pytest

from procos.runtime import health
from procos.runtime.health import ProcessHealth
from procos.runtime.pool import WorkerPool
from tests.unit.runtime.gates import In
from tests.unit.runtime.memory_jobs import MemoryJobs
from tests.unit.runtime.workers import settle, tde_of, worker_for

pytestmark = pytest.mark.anyio

GRACE = timedelta(seconds=5)


async def beating(process: ProcessHealth) -> "asyncio.Task[None]":
    task = asyncio.create_task(process.beat())
    await asyncio.sleep(0)
    return task


def test_a_loop_that_has_not_started_is_said_to_be_so():
    process = ProcessHealth(dict)

    assert process.not_alive() == {"event loop": "it has not started"}
    assert process.not_ready() == {"event loop": "it has not started"}


async def test_a_loop_that_turns_is_alive():
    process = ProcessHealth(dict)
    task = await beating(process)

    assert process.not_alive() == {}
    assert process.not_ready() == {}
    task.cancel()


async def test_a_loop_that_is_blocked_is_noticed_and_its_end_too(monkeypatch):
    monkeypatch.setattr(health, "HUNG_AFTER_S", 0.05)
    monkeypatch.setattr(health, "BEAT_EVERY_S", 0.01)
    process = ProcessHealth(dict)
    task = await beating(process)
    time.sleep(0.1)  # noqa: ASYNC251 - blocking the loop is the point
    while_blocked = process.not_alive()
    async with asyncio.timeout(5):
        while process.not_alive():  # noqa: ASYNC110 - the beat tells nobody
            await asyncio.sleep(0.01)

    assert while_blocked == {"event loop": "it has been blocked for 0 s"}
    task.cancel()


async def test_a_worker_in_trouble_makes_the_process_unready_and_leaves_it_alive():
    process = ProcessHealth(lambda: {"tde.some": "the engine is away"})
    task = await beating(process)

    assert process.not_alive() == {}
    assert process.not_ready() == {"tde.some": "the engine is away"}
    task.cancel()


# What a pool says of its workers


async def do(data: In) -> None:
    return None


async def test_a_pool_without_workers_is_in_trouble():
    assert WorkerPool(lambda tde, _: worker_for(MemoryJobs(), tde)).troubles() == {"workers": "none has started"}


async def test_a_pool_is_in_trouble_until_the_engine_has_answered_each_worker():
    jobs = MemoryJobs()
    pool = WorkerPool(lambda tde, _: worker_for(jobs, tde))
    pool.start([tde_of(do, name="one"), tde_of(do, name="two")])
    assert pool.troubles() == {"tde.one": "it has not started", "tde.two": "it has not started"}
    await jobs.until(lambda: jobs.calls.count("activate") == 4)
    await settle()

    assert pool.troubles() == {}
    await pool.drain(GRACE)


async def test_a_pool_names_the_worker_that_the_engine_does_not_answer():
    jobs = MemoryJobs()
    jobs.go_away()
    pool = WorkerPool(lambda tde, _: worker_for(jobs, tde))
    pool.start([tde_of(do, name="one")])
    await jobs.until(lambda: "activate" in jobs.calls)
    await settle()

    assert pool.troubles() == {"tde.one": "no engine answers at memory:1"}
    await pool.drain(GRACE)
