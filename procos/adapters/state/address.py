"""Where the state database is: the URL read and checked, and how it is shown without its password."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from procos.errors import StoreError
from procos.telemetry.secret_mask import MASK, any_of, spellings

FORMS: Final = "sqlite:////FOLDER/procos.db or postgresql://USER:PASSWORD@HOST:5432/DATABASE"
_DRIVERS: Final = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_PLAUSIBLE_HOST = re.compile(r"[\w.\-:%]*|\[[\w:.%]+\]")


@dataclass(frozen=True)
class DatabaseAddress:
    """A checked `url`; `shown` names the database in messages."""

    url: URL
    shown: str

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file on this machine."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return Path(self.url.database or "")

    def conceal(self, text: str) -> str:
        """`text` without the password."""
        passwords = [self.url.password, self.url.query.get("password")]
        hidden = {spelling for password in passwords if isinstance(password, str) for spelling in spellings(password)}
        return any_of(hidden - {""}).sub(MASK, text)


def file_address(file: Path) -> DatabaseAddress:
    """The address of an SQLite file."""
    file = file.expanduser().absolute()
    return DatabaseAddress(URL.create("sqlite", database=str(file)), str(file))


def read_address(text: str) -> DatabaseAddress:
    """Reads `sqlite:///…`, `postgresql://…` and `postgresql+psycopg://…`.

    Raises:
        StoreError: it is no such URL. The message never quotes it: what cannot be read may hold a password anywhere.
    """
    scheme = text.partition("://")[0].strip()
    if "://" not in text or scheme not in _DRIVERS:
        named = f" '{scheme}'" if "://" in text and re.fullmatch(r"[\w+.\-]+", scheme) else ""
        raise StoreError(f"the database URL is of no kind{named} that ProcOS knows", hint=f"give {FORMS}")
    try:
        url = make_url(text.strip()).set(drivername=_DRIVERS[scheme])
    except (ArgumentError, ValueError):
        raise _unreadable() from None
    return _sqlite_address(url) if url.get_backend_name() == "sqlite" else _postgresql_address(url)


def _sqlite_address(url: URL) -> DatabaseAddress:
    if url.host or not url.database or url.database == ":memory:" or url.query:
        raise StoreError(
            "an SQLite database needs the path of its file, and nothing else",
            hint="give sqlite:////FOLDER/procos.db (three slashes, then the absolute path)",
        )
    return file_address(Path(url.database))


def _postgresql_address(url: URL) -> DatabaseAddress:
    # A password with a bare @, / or # moves the parts of the URL; then a part of the password stands elsewhere.
    if not _PLAUSIBLE_HOST.fullmatch(url.host or "") or "@" in (url.database or ""):
        raise _unreadable()
    host = url.host or url.query.get("host") or "the default server"
    port = f":{url.port}" if url.port else ""
    shown_host = host if isinstance(host, str) else ", ".join(host)
    return DatabaseAddress(url, f"PostgreSQL database '{url.database or ''}' at {shown_host}{port}")


def _unreadable() -> StoreError:
    return StoreError(
        "the database URL cannot be read",
        hint=f"give {FORMS}; in user and password write special characters as %XX, for example @ as %40",
    )
