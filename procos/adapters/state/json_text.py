"""Facts as JSON in a column, and back; and what fits into no column refused beforehand."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from procos.errors import StoreError

_KEYS: Final = range(-(2**63), 2**63)
Fact = TypeVar("Fact", bound=BaseModel)


def to_json(fact: BaseModel | Sequence[BaseModel], what: str) -> str:
    """Facts as `value_to_json` writes them.

    Raises:
        StoreError: something in them is not JSON; `what` names it.
    """
    try:
        plain = fact.model_dump() if isinstance(fact, BaseModel) else [it.model_dump() for it in fact]
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"{what} is not JSON: {error}") from None
    return value_to_json(plain, what)


def value_to_json(value: object, what: str) -> str:
    """JSON as short as it gets, in ASCII only where a text is no Unicode.

    NUL, which PostgreSQL's text refuses, is always escaped in JSON.

    Raises:
        StoreError: something in it is not JSON; `what` names it.
    """
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"{what} is not JSON: {error}") from None
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which no database keeps as it is
        return json.dumps(value, separators=(",", ":"))
    return text


def from_json(kind: type[Fact], text: str) -> Fact:
    """The fact that `to_json` wrote.

    Raises:
        ValueError: it cannot be read, or says more than this ProcOS understands.
    """
    try:
        plain = json.loads(text)
        unknown = sorted(plain.keys() - kind.model_fields) if isinstance(plain, dict) else []
        if unknown:
            raise ValueError(f"nothing is known of {', '.join(unknown)}")
        return kind.model_validate(plain)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from None
    except RecursionError as error:
        raise ValueError(str(error)) from None


def checked_key(key: int, what: str) -> int:
    """The key, if the engine can have given it.

    Raises:
        StoreError: it is no 64-bit integer.
    """
    if key not in _KEYS:
        raise StoreError(f"{key!r} is no {what} key: the engine's keys are 64-bit integers")
    return key


def checked_moment(moment: datetime, what: str) -> datetime:
    """The moment, if it is one.

    Raises:
        StoreError: it has no time zone.
    """
    if moment.utcoffset() is None:
        raise StoreError(f"{what}: {moment} has no time zone")
    return moment
