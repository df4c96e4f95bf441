"""The built-in functions of FEEL that a FakeEngine knows."""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from procos.testing.feel.values import Value, negate, to_json


def _string(value: Value) -> Value:
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case Decimal():
            return str(to_json(value))
    return None


def _number(value: Value) -> Value:
    try:
        return Decimal(value) if isinstance(value, str | Decimal) else None
    except InvalidOperation:
        return None


def _text(convert: Callable[[str], Value]) -> Callable[[Value], Value]:
    return lambda value: convert(value) if isinstance(value, str) else None


def _contains(text: Value, part: Value) -> Value:
    return part in text if isinstance(text, str) and isinstance(part, str) else None


def _count(items: Value) -> Value:
    return Decimal(len(items)) if isinstance(items, list) else None


def _append(items: Value, item: Value) -> Value:
    return [*items, item] if isinstance(items, list) else None


FUNCTIONS: Final[Mapping[str, tuple[int, Callable[..., Value]]]] = {
    "not": (1, negate),
    "string": (1, _string),
    "number": (1, _number),
    "count": (1, _count),
    "append": (2, _append),
    "contains": (2, _contains),
    "is defined": (1, lambda value: value is not None),
    "get or else": (2, lambda value, default: default if value is None else value),
    "upper case": (1, _text(str.upper)),
    "lower case": (1, _text(str.lower)),
    "string length": (1, _text(lambda text: Decimal(len(text)))),
}
"""By name: how many arguments it takes, and what it does."""
