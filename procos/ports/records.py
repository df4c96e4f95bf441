"""RecordSource: the engine's record stream."""

from collections.abc import AsyncIterator
from typing import Protocol

from procos.model.record import Record


class RecordTail(Protocol):
    """The records from one moment on."""

    def of_instance(self, process_instance_key: int) -> AsyncIterator[Record]:
        """Yields an instance's records as they come, until the instance has ended."""
        ...


class RecordSource(Protocol):
    """Everything that happens in the engine, in order per partition, at least once."""

    def tail(self) -> RecordTail:
        """A tail that starts with what is recorded after this call."""
        ...
