"""What protobuf's JSON parser would let pass, and a message with something else in it than was meant would be sent."""

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from procos_workers.grpc_fields import (
    entry_of,
    field_named,
    is_map,
    is_repeated,
    is_well_known_type,
    kind_of,
    kind_of_message,
)

_BASE64 = re.compile(r"(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{2,3}={0,2})?")


def slip(value: Any, descriptor: Descriptor, path: str = "message") -> str | None:  # noqa: ANN401 - any JSON value
    """The first of them, named with its path: no object for a message, a field twice, bytes that are not base64."""
    if value is None or is_well_known_type(descriptor):
        return None
    if not isinstance(value, dict):
        return f"{path}: expected {kind_of_message(descriptor)}"
    seen: set[str] = set()
    for name, inner in value.items():
        field = field_named(descriptor, name)
        if field is None:
            continue  # the parser itself refuses that
        if field.name in seen:
            return f"{path}.{name}: given twice, in two spellings"
        seen.add(field.name)
        found = _slip_in(inner, field, f"{path}.{name}")
        if found is not None:
            return found
    return None


def _slip_in(value: Any, field: FieldDescriptor, path: str) -> str | None:  # noqa: ANN401
    found = (_slip_of(item, inner, at) for item, inner, at in _single(value, field, path))
    return next((each for each in found if each is not None), None)


def _slip_of(value: Any, field: FieldDescriptor, path: str) -> str | None:  # noqa: ANN401
    if field.message_type is not None:
        return slip(value, field.message_type, path)
    is_bytes = field.type == FieldDescriptor.TYPE_BYTES and isinstance(value, str)
    return f"{path}: expected {kind_of(field)}" if is_bytes and not _BASE64.fullmatch(value) else None


def _single(value: Any, field: FieldDescriptor, path: str) -> Iterator[tuple[Any, FieldDescriptor, str]]:  # noqa: ANN401
    if is_map(field):
        for key, item in value.items() if isinstance(value, dict) else ():
            yield item, entry_of(field)["value"], f"{path}.{key}"
    elif is_repeated(field):
        for index, item in enumerate(value) if isinstance(value, list) else ():
            yield item, field, f"{path}.{index}"
    else:
        yield value, field, path
