"""Jobs that become available are pushed, by a stream that is open while there is room and renewed when it stalls.

What a stream pushes to a worker that does not read waits in buffers, leased, where nobody works on it. So a stream
whose worker is stuck in long jobs is read empty and closed, and what cannot be started soon is handed back.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from procos.errors import EngineUnsupported
from procos.model.job import Job
from procos.ports.jobs import JobSource
from procos.runtime.backoff import Backoff
from procos.runtime.poller import JobQuery
from procos.runtime.room import Room
from procos.telemetry.metrics import WorkerMetrics

LOOK_EVERY_S: Final = 1.0
"""How often an open stream is looked after; it is closed where from one look to the next all slots were stuck."""
EMPTY_AFTER_S: Final = 0.5
"""Nothing pushed for so long: what was on its way has come."""
STALLED_AFTER_S: Final = 10.0
"""A stream silent for so long while polling found jobs is opened anew."""
MOST_READ_AT_THE_END: Final = 1_000
"""A stream that does not fall silent is closed after so many jobs."""


@dataclass(kw_only=True)
class StreamReader:
    """Reads until `end` is called; `polling_found_at` says when polling last found jobs (monotonic, seconds)."""

    source: JobSource
    query: JobQuery
    room: Room
    accept: Callable[[Sequence[Job]], None]
    polling_found_at: Callable[[], float]
    metrics: WorkerMetrics
    _ending: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _emptying: bool = field(default=False, init=False)
    _is_held_up: bool = field(default=False, init=False)
    _heard_at: float = field(default=float("-inf"), init=False)
    _backoff: Backoff = field(init=False)

    def __post_init__(self) -> None:
        self._backoff = Backoff(f"stream of '{self.query.job_type}'")

    def end(self) -> None:
        """Closes the stream when what is on its way has come, and ends `run`."""
        self._ending.set()

    async def run(self) -> None:
        """Keeps a stream open whenever there is room; a gateway that is away is waited for without end."""
        while not self._ending.is_set():
            await self._unless_ending(self.room.until_free())
            if self._ending.is_set():
                return
            try:
                await self._stream()
            except EngineUnsupported:  # this gateway has no streams; polling does it all
                await self._ending.wait()
            except Exception as error:  # noqa: BLE001 - no answer, however odd, may leave a job type without its stream
                await self._unless_ending(self._backoff.wait(error))
            else:
                self._backoff.reset()

    async def _stream(self) -> None:
        """One stream: until there is no room, it stalls, breaks, or `end` is called."""
        self.metrics.stream_openings.inc()
        self._heard_at, self._emptying = time.monotonic(), False
        self._is_held_up = False
        reading = asyncio.create_task(self._read(), name=f"read {self.query.job_type}")
        try:
            await self._until_of_no_use(reading)
            if self._is_held_up:
                await self._read_empty(reading)
        finally:
            reading.cancel()
            await asyncio.wait({reading})
        if not reading.cancelled():
            reading.result()

    async def _read(self) -> None:
        query = self.query
        stream = self.source.stream(
            query.job_type, worker=query.worker, lease=query.lease, fetch_variables=query.fetch_variables
        )
        async with contextlib.aclosing(stream) as jobs:
            async for job in jobs:
                self._heard_at = time.monotonic()
                self._backoff.reset()  # now, since a stream that works has no end
                self.accept((job,))
                while not self._emptying and self.room.free() <= 0:
                    self._is_held_up = True
                    await self.room.until_changed()
                self._is_held_up = False

    async def _until_of_no_use(self, reading: "asyncio.Task[None]") -> None:
        ending = asyncio.create_task(self._ending.wait())
        finished_before: int | None = None
        try:
            while not (reading.done() or ending.done()):
                await asyncio.wait({reading, ending}, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
                is_stuck = self.room.free() <= 0 and self.room.finished == finished_before
                if is_stuck or self.polling_found_at() > self._heard_at + STALLED_AFTER_S:
                    return
                finished_before = self.room.finished
        finally:
            ending.cancel()

    async def _read_empty(self, reading: "asyncio.Task[None]") -> None:
        """For a reader that had to wait for room; one that never waits has read all that has come."""
        self._emptying = True
        self.room.tell()
        for _ in range(MOST_READ_AT_THE_END):
            heard_at = self._heard_at
            await asyncio.wait({reading}, timeout=EMPTY_AFTER_S)
            if reading.done() or heard_at == self._heard_at:
                return

    async def _unless_ending(self, waiting: Coroutine[Any, Any, None]) -> None:
        tasks = {asyncio.create_task(waiting), asyncio.create_task(self._ending.wait())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
