"""FEEL's values: what operators do with them. Whatever has no answer is null, as in the engine."""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any, Final

Value = Any
"""None, bool, Decimal, str, list of values, or dict of values."""

_LARGEST_INTEGER = 2**63


def from_json(value: Any) -> Value:  # noqa: ANN401 - any JSON value
    """A JSON value as FEEL has it: numbers become decimals."""
    match value:
        case bool():
            return value
        case int() | float():
            return Decimal(str(value))
        case list():
            return [from_json(item) for item in value]
        case dict():
            return {key: from_json(item) for key, item in value.items()}
    return value


def to_json(value: Value) -> Any:  # noqa: ANN401 - any JSON value
    """A FEEL value as the engine stores it: whole numbers as integers; what is beyond all bounds is null."""
    match value:
        case Decimal():
            is_integer = value == value.to_integral_value() and abs(value) < _LARGEST_INTEGER
            number = int(value) if is_integer else float(value)
            return number if math.isfinite(number) else None
        case list():
            return [to_json(item) for item in value]
        case dict():
            return {key: to_json(item) for key, item in value.items()}
    return value


def equal(left: Value, right: Value) -> Value:
    """Whether both are the same; null where they cannot be compared."""
    if left is None or right is None:
        return left is right
    return left == right if type(left) is type(right) else None


def unequal(left: Value, right: Value) -> Value:
    """The opposite of `equal`."""
    return negate(equal(left, right))


def _ordering(compare: Callable[[Any, Any], bool]) -> Callable[[Value, Value], Value]:
    def ordered(left: Value, right: Value) -> Value:
        return compare(left, right) if type(left) is type(right) and isinstance(left, Decimal | str) else None

    return ordered


def _arithmetic(compute: Callable[[Decimal, Decimal], Decimal]) -> Callable[[Value, Value], Value]:
    def computed(left: Value, right: Value) -> Value:
        if not (isinstance(left, Decimal) and isinstance(right, Decimal)):
            return None
        try:
            return compute(left, right)
        except (DivisionByZero, InvalidOperation, Overflow):
            return None

    return computed


def add(left: Value, right: Value) -> Value:
    """The sum of two numbers, or two texts behind one another."""
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    return _arithmetic(lambda one, other: one + other)(left, right)


OPERATORS: Final[Mapping[str, Callable[[Value, Value], Value]]] = {
    "=": equal,
    "!=": unequal,
    "<": _ordering(lambda left, right: left < right),
    "<=": _ordering(lambda left, right: left <= right),
    ">": _ordering(lambda left, right: left > right),
    ">=": _ordering(lambda left, right: left >= right),
    "+": add,
    "-": _arithmetic(lambda left, right: left - right),
    "*": _arithmetic(lambda left, right: left * right),
    "/": _arithmetic(lambda left, right: left / right),
    "**": _arithmetic(lambda left, right: left**right),
}


def both(left: Value, right: Value) -> Value:
    """`and` with three answers."""
    if left is False or right is False:
        return False
    return True if left is True and right is True else None


def either(left: Value, right: Value) -> Value:
    """`or` with three answers."""
    if left is True or right is True:
        return True
    return False if left is False and right is False else None


def negate(value: Value) -> Value:
    """`not(…)`."""
    return not value if isinstance(value, bool) else None


def member(value: Value, name: str) -> Value:
    """`value.name`; of a list, that of each item."""
    match value:
        case dict():
            return value.get(name)
        case list():
            return [member(item, name) for item in value]
    return None


def item_at(value: Value, index: int) -> Value:
    """`value[index]`, counted from 1, or from the end if negative."""
    items = value if isinstance(value, list) else [value]
    position = index - 1 if index > 0 else len(items) + index
    return items[position] if index and 0 <= position < len(items) else None
