"""JSON pointers (RFC 6901): where in a JSON value something stands."""

import re

from pydantic import JsonValue

_POINTER = re.compile(r"(/([^~/]|~[01])*)*")
_INDEX = re.compile(r"0|[1-9][0-9]*", re.ASCII)


class NothingThere(Exception):
    """The value has nothing at the place that the pointer names."""


def check_pointer(pointer: str) -> str:
    """The pointer, if it is one.

    Raises:
        ValueError: says how a pointer is written.
    """
    if not _POINTER.fullmatch(pointer):
        raise ValueError(
            f"{pointer[:80]!r} is not a JSON pointer: begin with / and put / before each name or index, as in"
            " /orders/0/status; write ~1 for a / and ~0 for a ~ in a name"
        )
    return pointer


def find_at(pointer: str, value: JsonValue) -> JsonValue:
    """What stands at the pointer; the whole value for an empty one.

    Raises:
        NothingThere: nothing does.
    """
    for step in pointer.split("/")[1:]:
        value = _enter(value, step.replace("~1", "/").replace("~0", "~"))
    return value


def _enter(value: JsonValue, name: str) -> JsonValue:
    if isinstance(value, dict) and name in value:
        return value[name]
    if (
        isinstance(value, list)
        and _INDEX.fullmatch(name)
        and len(name) <= len(str(len(value)))
        and int(name) < len(value)
    ):
        return value[int(name)]
    raise NothingThere


def is_same(one: JsonValue, other: JsonValue) -> bool:
    """Whether two JSON values are equal; unlike in Python, true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[name], other[name]) for name in one)
    return one == other
