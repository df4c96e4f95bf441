"""WorkerRegister: which workers of ProcOS live, and what they take."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final, Protocol

ALIVE_FOR: Final = timedelta(seconds=60)
"""A worker that has not announced itself for so long counts as gone."""


class WorkerRegister(Protocol):
    """Of one engine; every method raises `StoreError`."""

    async def announce(self, worker: str, job_types: Collection[str]) -> None:
        """The worker lives, and takes jobs of these types and of no others."""
        ...

    async def withdraw(self, worker: str) -> None:
        """The worker has ended; one that is not known is no error."""
        ...

    async def job_types(self) -> frozenset[str]:
        """The job types of all workers that announced themselves within `ALIVE_FOR`."""
        ...

    async def close(self) -> None:
        """Lets go of files and connections."""
        ...
