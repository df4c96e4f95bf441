"""Fetching jobs: at once at first, whenever there is room, and through trouble with the engine."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from procos.errors import EngineOverloaded, EngineUnavailable
from procos.model.job import Job
from procos.runtime import backoff, poller
from procos.runtime.poller import POLL_WAIT, JobQuery, Poller
from procos.runtime.room import Room
from tests.unit.runtime.a_job import a_job
from tests.unit.runtime.memory_jobs import MemoryJobs
from tests.unit.runtime.workers import settle

pytestmark = pytest.mark.anyio

TYPE = "tde.some"
QUERY = JobQuery(job_type=TYPE, worker="w", lease=timedelta(seconds=30), fetch_variables=("name",))
Answer = Callable[[], Awaitable[list[Job]]]


class Scripted:
    """Answers one request after the other by the script, then none any more; notes what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answers = list(answers)

    async def activate(self, job_type: str, **asked: Any) -> list[Job]:
        self.asked.append({"job_type": job_type, **asked})
        if not self._answers:
            await asyncio.Event().wait()
        return await self._answers.pop(0)()


def giving(*jobs: Job) -> Answer:
    async def give() -> list[Job]:
        return list(jobs)

    return give


def refusing(error: Exception) -> Answer:
    async def refuse() -> list[Job]:
        raise error

    return refuse


@contextlib.asynccontextmanager
async def polling(source: Any, room: Room | None = None):
    """A poller at work; gives it and the jobs that it has accepted."""
    accepted: list[Job] = []

    def accept(jobs: Sequence[Job]) -> None:
        accepted.extend(jobs)

    made = Poller(source=source, query=QUERY, room=room or Room(4), accept=accept)
    task = asyncio.create_task(made.run())
    try:
        yield made, accepted, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def no_waits(monkeypatch):
    for name in ("_FIRST_WAIT_S", "_LONGEST_WAIT_S", "_FIRST_WAIT_OVERLOADED_S", "_LONGEST_WAIT_OVERLOADED_S"):
        monkeypatch.setattr(backoff, name, 0.0001)


async def has_asked(source: Scripted, times: int) -> None:
    async with asyncio.timeout(10):
        while len(source.asked) < times:  # noqa: ASYNC110 - the backoff between is jittered
            await asyncio.sleep(0.001)
    await settle()


async def test_it_asks_for_what_the_worker_takes_and_as_many_as_there_is_room_for():
    room = Room(7)
    room.busy = 2
    source = Scripted()
    async with polling(source, room):
        await has_asked(source, 1)

    (asked,) = source.asked
    assert asked == {
        "job_type": TYPE, "worker": "w", "max_jobs": 5, "lease": timedelta(seconds=30), "fetch_variables": ("name",),
        "wait": timedelta(0),
    }  # fmt: skip


async def test_the_first_answer_is_to_come_at_once_and_later_ones_may_take_their_time():
    source = Scripted(refusing(EngineOverloaded("busy")), giving(), giving())
    async with polling(source):
        await has_asked(source, 4)

    assert [asked["wait"] for asked in source.asked] == [timedelta(0), timedelta(0), POLL_WAIT, POLL_WAIT]


async def test_jobs_are_accepted_and_the_moment_is_noted():
    source = Scripted(giving(), giving(a_job(key=1), a_job(key=2)))
    async with polling(source) as (made, accepted, _):
        assert made.found_at == float("-inf")
        await has_asked(source, 3)
        assert [job.key for job in accepted] == [1, 2]
        assert time.monotonic() - 10 < made.found_at <= time.monotonic()


async def test_an_empty_answer_is_no_find():
    source = Scripted(giving(), giving())
    async with polling(source) as (made, _, _):
        await has_asked(source, 3)
        assert made.found_at == float("-inf")


async def test_nothing_is_asked_while_there_is_no_room():
    room, source = Room(1), Scripted()
    room.busy = 1
    async with polling(source, room):
        await settle()
        assert source.asked == []
        room.busy = 0
        room.tell()
        await has_asked(source, 1)


# Trouble


async def test_backpressure_is_no_news(caplog, no_waits):
    source = Scripted(*[refusing(EngineOverloaded("busy"))] * 15, giving())
    with caplog.at_level(logging.INFO):
        async with polling(source) as (made, _, _):
            await has_asked(source, 17)
            assert made.trouble is None

    assert caplog.text == ""


async def test_backpressure_that_lasts_is_told_once(caplog, no_waits):
    source = Scripted(*[refusing(EngineOverloaded("busy"))] * 40)
    async with polling(source) as (made, _, _):
        await has_asked(source, 41)
        assert made.trouble == "busy"

    assert caplog.text.count("worker for 'tde.some' waits for the engine: busy") == 1


async def test_an_engine_that_is_away_is_told_once_when_it_goes_and_once_when_it_is_back(caplog, no_waits):
    source = Scripted(giving(), *[refusing(EngineUnavailable("nobody there"))] * 5, giving())
    with caplog.at_level(logging.INFO):
        async with polling(source) as (made, _, _):
            await has_asked(source, 8)
            assert made.trouble is None

    assert [record.getMessage() for record in caplog.records] == [
        "worker for 'tde.some' waits for the engine: nobody there",
        "worker for 'tde.some' is back at work",
    ]
    assert "Traceback" not in caplog.text


async def test_a_second_absence_is_told_again(caplog, no_waits):
    away = refusing(EngineUnavailable("nobody there"))
    source = Scripted(away, giving(), away, giving())
    async with polling(source):
        await has_asked(source, 5)

    assert caplog.text.count("waits for the engine") == 2


async def test_a_defect_is_told_with_its_traceback_and_asking_goes_on(caplog, no_waits):
    source = Scripted(refusing(ZeroDivisionError("ours")), giving(a_job()))
    async with polling(source) as (_, accepted, _):
        await has_asked(source, 3)
        assert len(accepted) == 1

    assert "Traceback" in caplog.text


async def test_waits_grow_to_a_limit_and_begin_anew_after_an_answer(monkeypatch):
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(backoff.asyncio, "sleep", note)
    monkeypatch.setattr(backoff.random, "uniform", lambda *_: 1.0)
    waiting = backoff.Backoff("x")
    for _ in range(8):
        await waiting.wait(EngineUnavailable("away"))
    waiting.reset()
    await waiting.wait(EngineUnavailable("away"))
    waiting.reset()
    for _ in range(7):
        await waiting.wait(EngineOverloaded("busy"))

    assert waits[:9] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 0.1]
    assert waits[9:] == [0.02, 0.04, 0.08, 0.16, 0.32, 0.5, 0.5]


async def test_a_wait_can_last_for_ever():
    waiting = backoff.Backoff("x")
    waiting._failures = 10_000

    task = asyncio.create_task(waiting.wait(EngineOverloaded("busy")))
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()


# What health says


async def test_until_the_engine_has_answered_it_says_so():
    source = Scripted()
    async with polling(source) as (made, _, _):
        await has_asked(source, 1)
        assert made.trouble == "the engine has not answered yet"


async def test_an_engine_that_answers_is_no_trouble_however_long_it_holds_the_request():
    source = Scripted(giving())
    async with polling(source) as (made, _, _):
        await has_asked(source, 2)
        assert made.trouble is None


async def test_an_answer_that_is_overdue_is_trouble(monkeypatch):
    monkeypatch.setattr(poller, "_LONGEST_ANSWER_S", -1)
    source = Scripted(giving())
    async with polling(source) as (made, _, _):
        await has_asked(source, 2)
        assert made.trouble == "the engine has not answered for 0 s"


async def test_a_worker_that_is_full_asks_nothing_and_is_not_in_trouble(monkeypatch):
    monkeypatch.setattr(poller, "_LONGEST_ANSWER_S", -1)
    room = Room(1)

    async def fill() -> list[Job]:
        room.busy = 1
        return [a_job()]

    source = Scripted(fill)
    async with polling(source, room) as (made, _, _):
        await has_asked(source, 1)
        assert made.trouble is None


# Cancellation


async def test_jobs_that_arrive_in_the_moment_of_cancellation_are_accepted():
    answer = asyncio.get_running_loop().create_future()
    source = Scripted(lambda: answer)
    async with polling(source) as (_, accepted, task):
        await has_asked(source, 1)
        answer.set_result([a_job(key=5)])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert [job.key for job in accepted] == [5]
        assert task.cancelled()


async def test_jobs_that_a_source_has_in_hand_when_it_is_cancelled_are_accepted():
    async def slow_end() -> list[Job]:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await settle()
        return [a_job(key=5)]

    source = Scripted(slow_end)
    async with polling(source) as (_, accepted, task):
        await has_asked(source, 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert [job.key for job in accepted] == [5]


async def test_cancelling_ends_the_request():
    ended = []

    async def wait() -> list[Job]:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)
        return []

    source = Scripted(wait)
    async with polling(source) as (_, accepted, task):
        await has_asked(source, 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert ended == [True]
    assert accepted == []


async def test_cancelling_while_the_engine_is_away_ends_it():
    jobs = MemoryJobs()
    jobs.go_away()
    async with polling(jobs) as (_, _, task):
        await jobs.until(lambda: jobs.calls)
        task.cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(task, return_exceptions=True)
