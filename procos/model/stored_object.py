"""An object in the object store, as everyone else knows it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """Content by its hash; `sha256` in lower-case hexadecimal, `size` in bytes."""

    sha256: str
    size: int
    media_type: str
