"""Column types that take what people write, and give back what was put in, on either database."""

import re
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator

_ESCAPE: Final = "␛"
_NEEDS_ESCAPE: Final = re.compile(f"[\0\ud800-\udfff{_ESCAPE}]")
_ESCAPED: Final = re.compile(f"{_ESCAPE}([0-9a-f]{{4}})")


class AnyText(TypeDecorator[str]):
    """Text of any characters.

    NUL, which PostgreSQL refuses, and half a surrogate pair, which neither database can write, are kept as ␛ and four
    hexadecimal digits; so is ␛ itself. All other text is in the database as it is.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """As it is written."""
        return None if value is None else _NEEDS_ESCAPE.sub(lambda it: f"{_ESCAPE}{ord(it[0]):04x}", value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002 - SQLAlchemy's
        """As it was."""
        return None if value is None else _ESCAPED.sub(lambda it: chr(int(it[1], 16)), value)


class Moment(TypeDecorator[datetime]):
    """A moment with its time zone; it comes back in UTC. SQLite, which knows no time zones, gets UTC without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """As it is written."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """As it was, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)
