"""Variables too large for the engine travel as references to the object store."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from procos.errors import StoreError
from procos.model.stored_object import StoredObject
from procos.ports.objects import ObjectStore

LARGEST_PAYLOAD: Final = 1024 * 1024
"""Bytes of JSON that go to the engine as they are; it refuses 4 MiB, and copies what it takes many times."""

REFERENCE: Final = "procosObject"
"""The field of a reference that holds the object's address, `sha256:` and its hash."""

_JSON = "application/json"
_FIELDS = {REFERENCE, "size", "mediaType"}
_ADDRESS = re.compile(r"sha256:([0-9a-f]{64})")


class LargeVariables:
    """Puts large variables into `store` on their way out, and the values back on their way in."""

    def __init__(self, store: ObjectStore, *, largest_payload: int = LARGEST_PAYLOAD) -> None:
        self._store = store
        self._largest_payload = largest_payload

    async def put_away(self, variables: Mapping[str, Any], size: int) -> dict[str, Any]:
        """`variables`, of `size` characters of JSON; the largest become references until the rest is small enough.

        Raises:
            StoreError: an object could not be stored.
        """
        kept = dict(variables)
        if size <= self._largest_payload // 4:  # no character has more than four bytes
            return kept
        texts = {name: json.dumps(value).encode() for name, value in kept.items()}
        left = sum(map(len, texts.values()))
        for name in sorted(texts, key=lambda name: len(texts[name]), reverse=True):
            if left <= self._largest_payload:
                break
            kept[name] = reference_to(await self._store.put(texts[name], media_type=_JSON))
            left -= len(texts[name])
        return kept

    async def made_small(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """`variables` as they travel inside a message, with a quarter of the usual payload at most as it is.

        Raises:
            StoreError: an object could not be stored.
        """
        largest = self._largest_payload // 4
        return await LargeVariables(self._store, largest_payload=largest).put_away(variables, largest + 1)

    async def bring_back(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """`value` with every reference, at any depth, replaced by what it stands for.

        Raises:
            StoreError: what a reference stands for is not there, or is damaged.
        """
        if isinstance(value, list):
            return [await self.bring_back(item) for item in value] if has_reference(value) else value
        if not isinstance(value, dict):
            return value
        sha256 = _hash_in(value)
        if sha256 is None:
            return {key: await self.bring_back(item) for key, item in value.items()}
        try:
            return json.loads(await self._store.get(sha256))
        except StoreError as error:
            raise StoreError(
                f"a variable stands for an object of {value['size']} bytes that cannot be read: {error};"
                " all workers of a process have to use the same object store"
            ) from error


def reference_to(stored: StoredObject) -> dict[str, Any]:
    """The value that stands for the object in a process variable."""
    return {REFERENCE: f"sha256:{stored.sha256}", "size": stored.size, "mediaType": stored.media_type}


def has_reference(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether `value` holds a reference at any depth."""
    if isinstance(value, list):
        return any(has_reference(item) for item in value)
    if isinstance(value, dict):
        return _hash_in(value) is not None or any(has_reference(item) for item in value.values())
    return False


def _hash_in(value: Mapping[str, Any]) -> str | None:
    if value.keys() != _FIELDS or value["mediaType"] != _JSON or not isinstance(value[REFERENCE], str):
        return None
    address = _ADDRESS.fullmatch(value[REFERENCE])
    return address[1] if address else None
