"""An ObjectStore that lives as long as its test."""

import hashlib

from procos.errors import StoreError
from procos.model.stored_object import StoredObject


class MemoryObjects:
    """The ObjectStore port in memory; for tests of what stores and reads objects."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def __len__(self) -> int:
        """How many objects there are."""
        return len(self._contents)

    async def put(self, content: bytes, *, media_type: str) -> StoredObject:
        """Stores `content`; the same content again is the same object."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._contents[sha256] = bytes(content)
        return StoredObject(sha256=sha256, size=len(content), media_type=media_type)

    async def get(self, sha256: str) -> bytes:
        """The content.

        Raises:
            StoreError: there is no such object.
        """
        try:
            return self._contents[sha256]
        except KeyError:
            raise StoreError(f"there is no object {sha256[:80]!r} in memory") from None

    async def close(self) -> None:
        """Nothing is held open."""
