"""The worker's side of the outcome ledger: requests gathered, written in batches, and never in a job's way."""

import asyncio
import contextlib
import logging
import random
from typing import Final

from procos.errors import StoreError
from procos.model.ledger import LedgerEntry
from procos.ports.ledger import OutcomeLedger
from procos.telemetry.metrics import LEDGER_FAILURES

WRITE_AFTER_S: Final = 0.025
"""How long an entry waits for others to be written with it, unless `hurry` is called.

An outcome that is confirmed meanwhile need not be written, and most are.
"""

_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 10.0
_log = logging.getLogger(__name__)


class Journal:
    """One for all workers of a process, which share an event loop.

    A ledger that does not answer is waited for in the background, and jobs go on without it: a job whose stored outcome
    cannot be read is run again.
    """

    def __init__(self, ledger: OutcomeLedger, *, write_after_s: float = WRITE_AFTER_S) -> None:
        self._ledger = ledger
        self._write_after_s = write_after_s
        self._asked: dict[int, asyncio.Future[LedgerEntry | None]] = {}
        self._waiting: dict[int, LedgerEntry | None] = {}
        self._being_written: dict[int, LedgerEntry | None] = {}
        self._stored: set[int] = set()
        self._written = asyncio.Event()
        self._hurried = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self._is_away = False

    async def recall(self, job_key: int) -> LedgerEntry | None:
        """What is known of a job; requests that come together go together."""
        for unwritten in (self._waiting, self._being_written):
            if job_key in unwritten:
                return unwritten[job_key]
        if not self._asked:
            task = asyncio.create_task(self._ask())
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        answer = self._asked.get(job_key)
        if answer is not None:
            return await asyncio.shield(answer)
        answer = self._asked[job_key] = asyncio.get_running_loop().create_future()
        return await answer

    def keep(self, entry: LedgerEntry) -> None:
        """Writes the entry soon."""
        self._waiting[entry.job_key] = entry
        self._write_soon()

    def hurry(self) -> None:
        """Writes what was kept at once: the engine has not taken a result, so that it may have to last."""
        self._hurried.set()

    def drop(self, job_key: int) -> None:
        """Removes the job's entry soon; one that was not written yet never is."""
        self._waiting.pop(job_key, None)
        if job_key in self._stored or job_key in self._being_written:
            self._waiting[job_key] = None
            self._write_soon()

    async def settle(self) -> None:
        """Waits until all that was kept so far is written."""
        while self._waiting or self._being_written:
            self.hurry()
            self._write_soon()
            self._written.clear()
            await self._written.wait()

    async def settle_for(self, longest_s: float) -> None:
        """Waits until all is written, for so long at most."""
        try:
            async with asyncio.timeout(longest_s):
                await self.settle()
        except TimeoutError:
            left = len(self._waiting | self._being_written)
            _log.error("the outcome ledger does not answer: %d entries are not written", left)

    async def close(self, *, longest_s: float = 5.0) -> None:
        """Writes what is left, for so long at most."""
        await self.settle_for(longest_s)
        if self._writing is not None:
            self._writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writing

    async def _ask(self) -> None:
        asked, self._asked = self._asked, {}  # those that came in the same moment
        try:
            found = await self._ledger.recall(tuple(asked))
        except Exception as error:  # noqa: BLE001 - no answer, however odd, may hold up a job
            self._say(error)
            found = {}
        else:
            self._stored.update(found)
        for key, answer in asked.items():
            if not answer.done():  # a job that was cancelled meanwhile does not wait any more
                answer.set_result(found.get(key))

    def _write_soon(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all(), name="outcome ledger")

    async def _write_all(self) -> None:
        wait = _FIRST_WAIT_S
        while self._waiting:
            await self._gather()
            self._being_written, self._waiting = self._waiting, {}
            try:
                await self._write(self._being_written)
            except Exception as error:  # noqa: BLE001 - as above
                self._say(error)
                self._waiting = self._being_written | self._waiting
                self._being_written = {}
                await asyncio.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 - not for secrecy
                wait = min(wait * 2, _LONGEST_WAIT_S)
                continue
            self._being_written, wait = {}, _FIRST_WAIT_S
            if self._is_away:
                _log.info("the outcome ledger is back")
            self._is_away = False
        self._written.set()

    async def _gather(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._write_after_s):
                await self._hurried.wait()
        self._hurried.clear()

    async def _write(self, changes: dict[int, LedgerEntry | None]) -> None:
        entries = [entry for entry in changes.values() if entry is not None]
        gone = [key for key, entry in changes.items() if entry is None]
        if entries:
            await self._ledger.record(entries)
            self._stored.update(entry.job_key for entry in entries)
        if gone:
            await self._ledger.forget(gone)
            self._stored.difference_update(gone)

    def _say(self, error: Exception) -> None:
        LEDGER_FAILURES.inc()
        if not self._is_away:
            defect = None if isinstance(error, StoreError) else error
            _log.warning("the outcome ledger does not answer; jobs go on without it: %s", error, exc_info=defect)
        self._is_away = True
