"""DefinitionStore: the process definitions that were deployed through ProcOS."""

from collections.abc import Sequence
from typing import Protocol

from procos.model.definition import ProcessDefinition


class DefinitionStore(Protocol):
    """Of one engine; every method raises `StoreError`."""

    async def record(self, definitions: Sequence[ProcessDefinition]) -> None:
        """Keeps definitions; one whose key is known stays as it is."""
        ...

    async def get(self, key: int) -> ProcessDefinition | None:
        """The definition with that key, None where it was not deployed through ProcOS."""
        ...

    async def job_types(self) -> frozenset[str]:
        """The job types of all tasks of all kept definitions, as far as they are no expressions."""
        ...

    async def close(self) -> None:
        """Lets go of files and connections."""
        ...
