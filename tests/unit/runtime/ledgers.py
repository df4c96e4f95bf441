"""An outcome ledger that can be away, slow, and asked what was done with it."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from procos.errors import StoreError
from procos.model.ledger import LedgerEntry
from procos.testing.memory_ledger import MemoryOutcomeLedger


class WatchedLedger(MemoryOutcomeLedger):
    """Notes each call; `is_away` makes calls fail, and `held` makes them wait until it is set."""

    def __init__(self) -> None:
        super().__init__()
        self.recalled: list[list[int]] = []
        self.recorded: list[list[LedgerEntry]] = []
        self.forgotten: list[list[int]] = []
        self.failures = 0
        self.is_away = False
        self.held: asyncio.Event | None = None

    async def recall(self, job_keys: Sequence[int]) -> Mapping[int, LedgerEntry]:
        self.recalled.append(list(job_keys))
        await self._reach()
        return await super().recall(job_keys)

    async def record(self, entries: Sequence[LedgerEntry]) -> None:
        self.recorded.append(list(entries))
        await self._reach()
        await super().record(entries)

    async def forget(self, job_keys: Collection[int]) -> None:
        self.forgotten.append(list(job_keys))
        await self._reach()
        await super().forget(job_keys)

    async def now(self, job_key: int) -> LedgerEntry | None:
        """What it holds, past all faults."""
        return (await super().recall([job_key])).get(job_key)

    async def _reach(self) -> None:
        if self.held is not None:
            await self.held.wait()
        if self.is_away:
            self.failures += 1
            raise StoreError("the database does not answer")
