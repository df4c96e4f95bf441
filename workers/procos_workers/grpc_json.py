"""JSON to protobuf message and back, by protobuf's JSON mapping."""

from collections.abc import Iterable

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, EncodeError
from google.protobuf.message_factory import GetMessageClass
from pydantic import JsonValue

from procos_workers.grpc_misfit import Misfit, fits, locate, unknown_type
from procos_workers.grpc_slips import slip

_DEEPEST = 100  # as deep as protobuf reads


def encode(value: JsonValue, descriptor: Descriptor, pool: DescriptorPool) -> bytes:
    """The message that `value` stands for, ready to be sent; None stands for an empty one.

    Raises:
        Misfit: `value` does not fit; names the field.
    """
    message = GetMessageClass(descriptor)()
    if _is_too_deep(value):
        raise Misfit(f"it is nested more than {_DEEPEST} deep")
    slipped = slip(value, descriptor)
    if slipped is not None:
        raise Misfit(slipped)
    if value is not None and not fits(value, message, pool):
        raise Misfit(locate(value, descriptor, pool, "message"))
    try:
        return message.SerializeToString()
    except EncodeError as error:
        raise Misfit(str(error)) from None  # names the required fields that are missing


def decode(content: bytes, descriptor: Descriptor, pool: DescriptorPool) -> JsonValue:
    """What the message holds, as JSON: names in lowerCamelCase, fields that are not set with their defaults.

    Raises:
        Misfit: this is not such a message, or JSON cannot hold it.
    """
    try:
        message = GetMessageClass(descriptor).FromString(content)
        found: JsonValue = json_format.MessageToDict(
            message, always_print_fields_with_no_presence=True, descriptor_pool=pool
        )
    except DecodeError:
        raise Misfit(f"it is not a message of the type {descriptor.full_name}") from None
    except (json_format.Error, TypeError, ValueError, RecursionError) as error:
        raise unknown_type(error) or Misfit(f"JSON cannot hold it ({type(error).__name__})") from None
    return found


def _is_too_deep(value: JsonValue) -> bool:
    level = [value]
    for _ in range(_DEEPEST + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: JsonValue) -> Iterable[JsonValue]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
