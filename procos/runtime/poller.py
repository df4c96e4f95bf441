"""Jobs that wait in the engine are fetched: by long polling, whenever there is room."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from procos.model.job import Job
from procos.ports.jobs import JobSource
from procos.runtime.backoff import Backoff
from procos.runtime.room import Room

POLL_WAIT: Final = timedelta(seconds=30)
"""How long the engine holds a request that finds no job."""

_LONGEST_ANSWER_S: Final = 2 * POLL_WAIT.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Which jobs a worker takes, under which name and for how long."""

    job_type: str
    worker: str
    lease: timedelta
    fetch_variables: tuple[str, ...]


@dataclass(kw_only=True)
class Poller:
    """Asks until it is cancelled; jobs that come in that very moment are accepted all the same."""

    source: JobSource
    query: JobQuery
    room: Room
    accept: Callable[[Sequence[Job]], None]
    found_at: float = field(default=float("-inf"), init=False)
    _asked_at: float | None = field(default=None, init=False)
    _has_answered: bool = field(default=False, init=False)
    _backoff: Backoff = field(init=False)

    def __post_init__(self) -> None:
        self._backoff = Backoff(f"worker for '{self.query.job_type}'")

    @property
    def trouble(self) -> str | None:
        """Why the engine does not answer, None when it does."""
        if self._backoff.trouble is not None or not self._has_answered:
            return self._backoff.trouble or "the engine has not answered yet"
        asked_at = self._asked_at
        if asked_at is not None and time.monotonic() - asked_at > _LONGEST_ANSWER_S:
            return f"the engine has not answered for {time.monotonic() - asked_at:.0f} s"
        return None

    async def run(self) -> None:
        """Asks whenever there is room; a gateway that is away is waited for without end."""
        while True:
            await self.room.until_free(for_a_request=True)
            try:
                await self._poll()
            except Exception as error:  # noqa: BLE001 - no answer, however odd, may leave a job type without its worker
                await self._backoff.wait(error)
            else:
                self._backoff.reset()

    async def _poll(self) -> None:
        self._asked_at = time.monotonic()
        asking = asyncio.create_task(
            self.source.activate(
                self.query.job_type,
                worker=self.query.worker,
                max_jobs=self.room.free(),
                lease=self.query.lease,
                fetch_variables=self.query.fetch_variables,
                wait=POLL_WAIT if self._has_answered else timedelta(0),  # the first answer shall come at once
            )
        )
        try:
            await asyncio.wait({asking})
        finally:  # also when cancelled: jobs that came in that very moment are leased to us already
            if not asking.done():
                asking.cancel()
                await asyncio.wait({asking})
            if not asking.cancelled() and asking.exception() is None and asking.result():
                self.found_at = time.monotonic()
                self.accept(asking.result())
            self._asked_at = None
        await asking
        self._has_answered = True
