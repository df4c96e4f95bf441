"""Values on their way between JSON and a database."""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, cast

from pydantic import JsonValue, TypeAdapter

from procos_workers.sql_statement import Use

BYTES_KEY: Final = "$base64"

_LARGEST_EXACT = 2**53
_LARGEST_SQLITE = 2**63
_DURATION = TypeAdapter(timedelta)


class UnfitValue(ValueError):
    """A parameter has a value that the database cannot take; says why, and never repeats it."""


def to_database(value: JsonValue, use: Use, *, is_sqlite: bool) -> Any:  # noqa: ANN401 - whatever a driver takes
    """The value as the driver binds it.

    Raises:
        UnfitValue: the database cannot take it there.
    """
    if use is Use.MEMBER and isinstance(value, list):
        raise UnfitValue("is a list inside IN (…): write IN :name for a list, without the parentheses")
    if use in {Use.LIST, Use.ARRAY}:
        return _elements(value, use, is_sqlite=is_sqlite)
    if isinstance(value, dict):
        return _bytes(value[BYTES_KEY]) if value.keys() == {BYTES_KEY} else _json_text(value)
    if isinstance(value, list):
        return _json_text(value)
    if isinstance(value, str):
        _check_text(value, is_sqlite=is_sqlite)
    if isinstance(value, int) and is_sqlite and not -_LARGEST_SQLITE <= value < _LARGEST_SQLITE:
        raise UnfitValue("is beyond SQLite's integers (64 bits): give it as text")
    return value


def _elements(value: JsonValue, use: Use, *, is_sqlite: bool) -> list[Any]:
    where = "IN" if use is Use.LIST else "ANY, ALL or SOME"
    if not isinstance(value, list):
        raise UnfitValue(f"stands behind {where}, which takes a list, not {_kind(value)}")
    if any(isinstance(element, list) for element in value):
        raise UnfitValue(f"stands behind {where}, which takes a list of plain values, not of lists")
    return [to_database(element, Use.PLAIN, is_sqlite=is_sqlite) for element in value]


def _kind(value: JsonValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case dict():
            return "an object"
        case str():
            return "text"
        case _:
            return "a number"


def _check_text(value: str, *, is_sqlite: bool) -> None:
    if not is_sqlite and "\0" in value:
        raise UnfitValue("holds a NUL character, which PostgreSQL cannot store in text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UnfitValue("holds half a character (a lone surrogate), which UTF-8 cannot hold") from None


def _json_text(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    _check_text(text, is_sqlite=False)
    return text


def _bytes(value: JsonValue) -> bytes:
    try:
        return base64.b64decode(cast("str", value), validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise UnfitValue(
            f'is {{"{BYTES_KEY}": …}} without base64 in it (standard alphabet, with padding, without line breaks)'
        ) from None


def to_json(value: object) -> JsonValue:
    """What the database gave, as JSON that every reader takes for the same value."""
    match value:
        case None | bool() | str():
            return value
        case int() | float() | Decimal():
            return _number(value)
        case Mapping():
            return {str(key): to_json(element) for key, element in value.items()}
        case list() | tuple():
            return [to_json(element) for element in value]
        case _:
            return _text(value)


def _number(value: float | Decimal) -> JsonValue:
    exact = Decimal(value)
    if not exact.is_finite():
        return str(exact)
    if isinstance(value, float):
        return value
    if abs(exact) <= _LARGEST_EXACT:
        if exact == exact.to_integral_value():
            return int(exact)
        # What Python prints of a float is what other readers of JSON take for the same 64 bits.
        if Decimal(repr(float(exact))) == exact:
            return float(exact)
    return format(exact, "f")


def _text(value: object) -> str:
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return cast("str", _DURATION.dump_python(value, mode="json"))
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode("ascii")
        case _:
            return str(value)
