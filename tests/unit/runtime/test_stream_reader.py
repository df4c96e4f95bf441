"""The stream beside polling: open while there is room, closed where it would only fill, opened again when it fails."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from procos.errors import EngineOverloaded, EngineUnavailable, EngineUnsupported
from procos.model.job import Job
from procos.runtime import backoff, stream_reader
from procos.runtime.poller import JobQuery
from procos.runtime.room import Room
from procos.runtime.stream_reader import StreamReader
from procos.telemetry.metrics import WorkerMetrics
from tests.unit.runtime.a_job import a_job
from tests.unit.runtime.workers import settle

pytestmark = pytest.mark.anyio

TYPE = "tde.some"
QUERY = JobQuery(job_type=TYPE, worker="w", lease=timedelta(seconds=30), fetch_variables=())


class Pushed:
    """A source that pushes what a test gives it; an exception breaks the stream. What is not read waits in it."""

    def __init__(self) -> None:
        self.unread: asyncio.Queue[Job | Exception] = asyncio.Queue()
        self.opened = 0
        self.closed = 0
        self._keys = 0
        self._changed = asyncio.Event()

    def push(self, number: int = 1) -> None:
        for _ in range(number):
            self._keys += 1
            self.unread.put_nowait(a_job(key=self._keys))

    def break_with(self, error: Exception) -> None:
        self.unread.put_nowait(error)

    async def stream(self, job_type: str, **_: Any) -> AsyncGenerator[Job, None]:
        assert job_type == TYPE
        self.opened += 1
        self._tell()
        try:
            while True:
                given = await self.unread.get()
                if isinstance(given, Exception):
                    raise given
                yield given
        finally:
            self.closed += 1
            self._tell()

    async def has(self, *, opened: int = 0, closed: int = 0) -> None:
        async with asyncio.timeout(10):
            while self.opened < opened or self.closed < closed:
                await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Reading:
    """A reader at work, whose jobs take a slot each until the test frees it."""

    def __init__(self, source: Any, slots: int) -> None:
        self.room = Room(slots)
        self.accepted: list[int] = []
        self.polling_found_at = float("-inf")
        self.reader = StreamReader(
            source=source, query=QUERY, room=self.room, accept=self._accept,
            polling_found_at=lambda: self.polling_found_at, metrics=WorkerMetrics(TYPE),
        )  # fmt: skip

    def free(self, slots: int = 1) -> None:
        self.room.busy -= slots
        self.room.finished += slots
        self.room.tell()

    def _accept(self, jobs: Sequence[Job]) -> None:
        self.accepted.extend(job.key for job in jobs)
        self.room.busy += len(jobs)
        self.room.tell()


@contextlib.asynccontextmanager
async def reading(source: Any, *, slots: int = 4):
    made = Reading(source, slots)
    task = asyncio.create_task(made.reader.run())
    try:
        yield made
    finally:
        made.reader.end()
        async with asyncio.timeout(10):
            await task


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(stream_reader, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(stream_reader, "EMPTY_AFTER_S", 0.02)
    monkeypatch.setattr(backoff, "_FIRST_WAIT_S", 0.001)


@pytest.fixture
def never_looked_after(monkeypatch):
    """For tests in which a stream must not be closed for being full."""
    monkeypatch.setattr(stream_reader, "LOOK_EVERY_S", 60)


async def test_jobs_are_accepted_as_they_come():
    source = Pushed()
    async with reading(source) as made:
        await source.has(opened=1)
        source.push(3)
        await settle()
        assert made.accepted == [1, 2, 3]


@pytest.mark.usefixtures("never_looked_after")
async def test_it_reads_only_while_there_is_room():
    source = Pushed()
    async with reading(source, slots=2) as made:
        source.push(5)
        await source.has(opened=1)
        await settle()
        assert made.accepted == [1, 2]
        assert source.unread.qsize() == 3
        made.free()
        await settle()
        assert made.accepted == [1, 2, 3]


async def test_no_stream_is_opened_while_there_is_no_room():
    source = Pushed()
    made = Reading(source, slots=1)
    made.room.busy = 1
    task = asyncio.create_task(made.reader.run())
    await settle()
    assert source.opened == 0
    made.free()
    await source.has(opened=1)
    made.reader.end()
    await task


async def test_a_stream_of_a_worker_that_is_stuck_is_read_empty_and_closed():
    source = Pushed()
    async with reading(source, slots=2) as made:
        source.push(6)
        await source.has(closed=1)
        assert made.accepted == [1, 2, 3, 4, 5, 6], "what was on its way is leased to us: it must not be lost"
        assert source.opened == 1


async def test_a_stream_that_was_closed_is_opened_again_when_there_is_room():
    source = Pushed()
    async with reading(source, slots=2) as made:
        source.push(3)
        await source.has(closed=1)
        await settle()
        assert source.opened == 1
        made.free(3)
        await source.has(opened=2)
        source.push()
        await settle()
        assert made.accepted == [1, 2, 3, 4]


async def test_a_full_worker_whose_jobs_end_keeps_its_stream():
    source = Pushed()
    async with reading(source, slots=2) as made:
        source.push(60)
        await source.has(opened=1)
        for _ in range(20):
            await asyncio.sleep(0.01)
            made.free()
        assert (source.opened, source.closed) == (1, 0)


async def test_a_stream_that_does_not_fall_silent_is_closed_all_the_same(monkeypatch):
    monkeypatch.setattr(stream_reader, "MOST_READ_AT_THE_END", 3)
    source = Pushed()
    async with reading(source, slots=1):
        await source.has(opened=1)

        async def push_on() -> None:
            while not source.closed:
                source.push()
                await asyncio.sleep(0.002)

        pushing = asyncio.create_task(push_on())
        await source.has(closed=1)
        await pushing


async def test_a_silent_stream_is_opened_anew_when_polling_finds_jobs_that_it_should_have_brought(monkeypatch):
    monkeypatch.setattr(stream_reader, "STALLED_AFTER_S", 0.01)
    source = Pushed()
    async with reading(source) as made:
        await source.has(opened=1)
        made.polling_found_at = time.monotonic() + 0.02
        await source.has(opened=2, closed=1)


async def test_a_stream_stays_where_polling_found_jobs_before_it_last_brought_one(monkeypatch):
    monkeypatch.setattr(stream_reader, "STALLED_AFTER_S", 0.0)
    source = Pushed()
    async with reading(source) as made:
        await source.has(opened=1)
        made.polling_found_at = time.monotonic() - 60
        await asyncio.sleep(0.1)
        assert source.opened == 1


# Trouble


class Refusing(Pushed):
    """No stream opens."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def stream(self, *_: Any, **__: Any) -> AsyncGenerator[Job, None]:
        self.opened += 1
        self._tell()
        raise self._error
        yield


async def test_a_gateway_without_streams_is_not_asked_twice_and_no_trouble(caplog):
    source = Refusing(EngineUnsupported("no streams"))
    async with reading(source):
        await source.has(opened=1)
        await asyncio.sleep(0.05)
        assert source.opened == 1

    assert caplog.text == ""


async def test_a_gateway_that_is_away_is_tried_again_and_told_once(caplog):
    source = Refusing(EngineUnavailable("nobody there"))
    async with reading(source):
        await source.has(opened=4)

    assert caplog.text.count("stream of 'tde.some' waits for the engine: nobody there") == 1


async def test_a_stream_that_breaks_is_opened_again_and_brings_what_follows():
    source = Pushed()
    async with reading(source) as made:
        source.push()
        source.break_with(EngineUnavailable("cut"))
        source.push()
        await source.has(opened=2)
        await settle()
        assert made.accepted == [1, 2]


async def test_a_stream_that_breaks_while_it_is_read_empty_is_trouble_like_any(caplog):
    source = Pushed()
    async with reading(source, slots=1) as made:
        source.push(2)
        source.break_with(EngineUnavailable("cut"))
        await source.has(closed=1)
        made.free(2)
        await source.has(opened=2)

    assert "cut" in caplog.text


async def test_each_break_of_a_stream_that_worked_in_between_is_news(caplog):
    source = Pushed()
    with caplog.at_level(logging.INFO):
        async with reading(source, slots=9):
            for number in (1, 2):
                source.break_with(EngineUnavailable("cut"))
                await source.has(opened=1 + number)
                source.push()
                await settle()

    assert [record.getMessage() for record in caplog.records] == [
        "stream of 'tde.some' waits for the engine: cut",
        "stream of 'tde.some' is back at work",
    ] * 2


async def test_backpressure_on_the_stream_is_no_news(caplog):
    source = Pushed()
    async with reading(source):
        source.break_with(EngineOverloaded("busy"))
        await source.has(opened=2)

    assert caplog.text == ""


# The end


async def test_at_the_end_what_is_on_its_way_is_still_read_though_there_is_no_room():
    source = Pushed()
    async with reading(source, slots=1) as made:
        await source.has(opened=1)
        source.push(4)

    assert made.accepted == [1, 2, 3, 4]
    assert source.closed == 1


async def test_it_ends_while_it_waits_for_room():
    made = Reading(Pushed(), slots=1)
    made.room.busy = 1
    task = asyncio.create_task(made.reader.run())
    await settle()
    made.reader.end()

    async with asyncio.timeout(5):
        await task


async def test_it_ends_while_it_waits_for_the_engine(monkeypatch):
    monkeypatch.setattr(backoff, "_FIRST_WAIT_S", 60)
    source = Refusing(EngineUnavailable("nobody there"))
    async with reading(source):
        await source.has(opened=1)


async def test_ended_before_it_began_it_opens_nothing():
    source = Pushed()
    made = Reading(source, slots=1)
    made.reader.end()
    await made.reader.run()

    assert source.opened == 0
