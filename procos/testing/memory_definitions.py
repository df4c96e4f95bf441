"""A DefinitionStore that lives as long as its test."""

from collections.abc import Sequence

from procos.errors import StoreError
from procos.model.definition import ProcessDefinition


class MemoryDefinitions:
    """The DefinitionStore port in memory."""

    def __init__(self) -> None:
        self._definitions: dict[int, ProcessDefinition] = {}
        self._is_closed = False

    def __len__(self) -> int:
        """How many definitions there are."""
        return len(self._definitions)

    async def record(self, definitions: Sequence[ProcessDefinition]) -> None:
        """Keeps definitions; one whose key is known stays as it is."""
        self._check_open()
        for definition in definitions:
            if definition.deployed_at.utcoffset() is None:
                raise StoreError(f"process definition '{definition.id}': {definition.deployed_at} has no time zone")
        for definition in definitions:
            self._definitions.setdefault(definition.key, definition)

    async def get(self, key: int) -> ProcessDefinition | None:
        """The definition with that key, None where it was not deployed through ProcOS."""
        self._check_open()
        return self._definitions.get(key)

    async def job_types(self) -> frozenset[str]:
        """The job types of all tasks of all kept definitions, as far as they are no expressions."""
        self._check_open()
        elements = (element for definition in self._definitions.values() for element in definition.elements)
        return frozenset(element.job_type for element in elements if element.job_type)

    async def close(self) -> None:
        """Further calls are refused."""
        self._is_closed = True

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreError("the definition store is closed")
