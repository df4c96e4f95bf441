"""ObjectStore: data too large for a process variable."""

from typing import Protocol

from procos.model.stored_object import StoredObject


class ObjectStore(Protocol):
    """Immutable objects by their content's hash; every method raises `StoreError`."""

    async def put(self, content: bytes, *, media_type: str) -> StoredObject:
        """Stores `content`; the same content again is the same object."""
        ...

    async def get(self, sha256: str) -> bytes:
        """The content, checked against its hash."""
        ...

    async def close(self) -> None:
        """Lets go of files and connections."""
        ...
