"""What does not fit between JSON and a protobuf message, said by the field's name and never by its value."""

import re
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from procos_workers.grpc_fields import (
    entry_of,
    field_named,
    is_map,
    is_repeated,
    is_well_known_type,
    kind_of,
    kind_of_message,
)
from procos_workers.grpc_names import guess, listed

_UNKNOWN_TYPE = re.compile(r"message descriptor by type_url: (?:[^\s/]*/)*([\w.]+)")


class Misfit(ValueError):
    """JSON and message do not fit; says where and why, without values."""


class UnknownType(Misfit):
    """An Any holds a message of a type that is not known (yet)."""

    def __init__(self, type_name: str) -> None:
        super().__init__(f"it holds a message of the type {type_name} in an Any, and nothing describes that type")
        self.type_name = type_name


def unknown_type(error: Exception) -> UnknownType | None:
    """The type that protobuf looked for in vain, if that is what went wrong."""
    match = _UNKNOWN_TYPE.search(str(error))
    return UnknownType(match[1]) if match else None


def fits(value: Any, message: Message, pool: DescriptorPool) -> bool:  # noqa: ANN401 - any JSON value
    """Reads the JSON value into the message; False if it does not fit. Protobuf's own words are dropped: they quote it.

    Raises:
        UnknownType: the value has a message of a type that the pool does not know.
    """
    try:
        json_format.ParseDict(value, message, descriptor_pool=pool)
    # The parser meets JSON of the wrong shape with whatever comes to hand, AttributeError among it.
    except Exception as error:  # noqa: BLE001
        unknown = unknown_type(error)
        if unknown is not None:
            raise unknown from None
        return False
    return True


def locate(value: Any, descriptor: Descriptor, pool: DescriptorPool, path: str) -> str:  # noqa: ANN401
    """Says which field is wrong: each one is tried alone, and the first that fails is looked into."""
    if not isinstance(value, dict) or is_well_known_type(descriptor):
        return f"{path}: expected {kind_of_message(descriptor)}"
    for name, inner in value.items():
        field = field_named(descriptor, name)
        if field is None and not name.startswith("["):
            return f"{path}: {_no_field(descriptor, name)}"
        if not fits({name: inner}, GetMessageClass(descriptor)(), pool):
            return _locate_in(inner, field, pool, f"{path}.{name}")
    return f"{path}: {_conflict(descriptor, value)}"


def _locate_in(value: Any, field: FieldDescriptor | None, pool: DescriptorPool, path: str) -> str:  # noqa: ANN401
    if field is None:
        return f"{path}: there is no such extension, or its value does not fit"
    if is_map(field):
        return _locate_in_map(value, field, pool, path)
    if is_repeated(field):
        return _locate_in_list(value, field, pool, path)
    if field.message_type is not None:
        return locate(value, field.message_type, pool, path)
    return f"{path}: expected {kind_of(field)}"


def _locate_in_list(value: Any, field: FieldDescriptor, pool: DescriptorPool, path: str) -> str:  # noqa: ANN401
    if not isinstance(value, list):
        return f"{path}: expected an array"
    for index, item in enumerate(value):
        if _fails_in(field, [item], pool):
            if field.message_type is not None:
                return locate(item, field.message_type, pool, f"{path}.{index}")
            return f"{path}.{index}: expected {kind_of(field)}"
    return f"{path}: the array does not fit"


def _locate_in_map(value: Any, field: FieldDescriptor, pool: DescriptorPool, path: str) -> str:  # noqa: ANN401
    if not isinstance(value, dict):
        return f"{path}: expected an object"
    entry = entry_of(field)
    keys, values = entry["key"], entry["value"]
    for key, item in value.items():
        if _fails_in(field, {key: item}, pool):
            if values.message_type is not None and not is_well_known_type(values.message_type):
                return locate(item, values.message_type, pool, f"{path}.{key}")
            return f"{path}: an entry does not fit, expected {kind_of(keys)} as key and {kind_of(values)} as value"
    return f"{path}: the object does not fit"


def _fails_in(field: FieldDescriptor, value: object, pool: DescriptorPool) -> bool:
    owner = field.containing_type
    return owner is not None and not fits({field.name: value}, GetMessageClass(owner)(), pool)


def _no_field(descriptor: Descriptor, name: str) -> str:
    names = [field.json_name for field in descriptor.fields]
    known = f"it has {listed(names)}" if names else "it has no fields at all"
    return f"{descriptor.full_name} has no field {name[:80]!r}{guess(name, names)}; {known}"


def _conflict(descriptor: Descriptor, value: dict[str, Any]) -> str:
    for oneof in descriptor.oneofs:
        given = [name for name in value if field_named(descriptor, name) in oneof.fields and value[name] is not None]
        if len(given) > 1:
            return f"give only one of {listed(given)}"
    fields = [field for field in (field_named(descriptor, name) for name in value) if field is not None]
    twice = sorted({field.json_name for field in fields if fields.count(field) > 1})
    return f"{listed(twice)}: given twice, in two spellings" if twice else f"it does not fit {descriptor.full_name}"
