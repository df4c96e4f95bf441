"""OutcomeLedger: what is known of a job besides the engine's own state."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from procos.model.ledger import LedgerEntry


class OutcomeLedger(Protocol):
    """Entries by job key, which outlive the worker's process; every method raises `StoreError`."""

    async def recall(self, job_keys: Sequence[int]) -> Mapping[int, LedgerEntry]:
        """The entries of those of `job_keys` that have one."""
        ...

    async def record(self, entries: Sequence[LedgerEntry]) -> None:
        """Writes all of `entries`, or none; an entry that is there is replaced. Durable when it returns."""
        ...

    async def forget(self, job_keys: Collection[int]) -> None:
        """Removes entries; a key without one is no error."""
        ...

    async def prune(self, older_than: timedelta) -> int:
        """Removes entries that nobody has written for that long, and says how many: their jobs are gone."""
        ...

    async def close(self) -> None:
        """Lets go of files and connections."""
        ...
