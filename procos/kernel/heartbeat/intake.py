"""Tasks that the engine pushes are handed over at once; the scan is there for what a stream misses."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from procos.errors import EngineError, EngineUnsupported
from procos.kernel.heartbeat.hand_over import HandOver
from procos.kernel.heartbeat.options import TASK_TYPE, HeartbeatOptions
from procos.model.job import Job
from procos.ports.jobs import JobSource

_MOST_IN_HAND: Final = 64
_log = logging.getLogger(__name__)


class Waiting(Protocol):
    """Waits between attempts at an engine that is away."""

    async def wait(self, error: Exception) -> None:
        """Waits after `error`, longer each time."""
        ...

    def reset(self) -> None:
        """It works again."""
        ...


@dataclass(kw_only=True)
class Intake:
    """Reads the stream of unclaimed tasks; `on_arrival` hears of each that was handed over, or was not."""

    jobs: JobSource
    hand_over: HandOver
    worker: str
    options: HeartbeatOptions
    waiting: Waiting
    on_arrival: Callable[[bool], Awaitable[None]]
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MOST_IN_HAND), init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    async def run(self) -> None:
        """Reads until it is cancelled; ends by itself only where the engine has no streams."""
        try:
            while True:
                try:
                    await self._read()
                except EngineUnsupported:
                    _log.info("the engine pushes no jobs; unclaimed tasks are found by scanning alone")
                    return
                except EngineError as error:
                    await self.waiting.wait(error)
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _read(self) -> None:
        stream = self.jobs.stream(TASK_TYPE, worker=self.worker, lease=self.options.hand_over_lease)
        async with contextlib.aclosing(stream) as pushed:
            async for job in pushed:
                self.waiting.reset()
                # What is not read is held back by flow control, and found by a scan once its lease is over.
                await self._room.acquire()
                task = asyncio.create_task(self._take(job), name=f"hand over {job.key}")
                self._tasks.add(task)
                task.add_done_callback(self._ended)

    async def _take(self, job: Job) -> None:
        await self.on_arrival(await self.hand_over.hand_over([job]) > 0)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._room.release()
        if not task.cancelled() and (error := task.exception()):
            _log.error("%s failed; a scan finds the task again", task.get_name(), exc_info=error)
