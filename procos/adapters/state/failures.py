"""What a driver's error means: whether waiting helps, and what to tell the person."""

import re
import sqlite3
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import DBAPIError

from procos.adapters.state.address import DatabaseAddress
from procos.errors import StoreError

_SQLITE_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_POSTGRESQL_PASSING = ("08", "53300", "55P03", "57P", "40001", "40P01", "25006")
"""SQLSTATEs, or their beginnings: connection lost, too many connections, locked, server shut down or starting, a
serialization failure or a deadlock, and read-only: the server of before a failover, from which to go away."""


@dataclass(frozen=True)
class _Meaning:
    """What drivers and servers say when they speak English; an error at login has no code to go by."""

    sign: str
    what: str
    hint: str


_MEANINGS: Final = (
    _Meaning(
        "file is not a database",
        "this file is not an SQLite database",
        "give the path of another file, or move this one away",
    ),
    _Meaning(
        "database disk image is malformed",
        "the file is damaged",
        "stop ProcOS, then restore the file from a backup, or save what is left with `sqlite3 FILE .recover`",
    ),
    _Meaning("database or disk is full", "the disk is full", "free some space"),
    _Meaning("no space left on device", "the server's disk is full", "free some space on the server"),
    _Meaning("disk i/o error", "the disk failed, or is full", "look at its free space, and at the system's log"),
    _Meaning(
        "database is locked",
        "another program holds it locked",
        "see which one has it open; only short transactions may lock it",
    ),
    _Meaning("readonly database", "it cannot be written", "make the file and its folder writable for this user"),
    _Meaning("unable to open database", "it cannot be opened", "make the file and its folder writable for this user"),
    _Meaning(
        'no such table|relation ".*" does not exist',
        "a table is missing, which somebody has removed since ProcOS made it",
        "restore the database from a backup, or give an empty one",
    ),
    _Meaning(
        'password authentication failed|role ".*" does not exist',
        "the server refused the login",
        "check user and password in the database URL; special characters are written as %XX",
    ),
    _Meaning("no password supplied", "the server asks for a password", "give it in the database URL"),
    _Meaning('database ".*" does not exist', "there is no such database", "make it with: createdb NAME"),
    _Meaning("permission denied for schema", "the user may not make tables", "GRANT CREATE ON SCHEMA public TO it"),
    _Meaning("no pg_hba.conf entry", "the server does not let this machine or user in", "see the server's pg_hba.conf"),
    _Meaning(
        "terminating connection|server closed the connection|shutting down|starting up",
        "the server is being stopped or started",
        "wait until it runs again",
    ),
    _Meaning("connection refused", "no server answers", "start it, or correct host and port in the database URL"),
    _Meaning("timeout expired", "no server answers", "look at host and port in the database URL, and at firewalls"),
    _Meaning("(resolve|translate) host", "the host is unknown", "correct it in the database URL"),
    _Meaning(
        "does not support ssl|ssl error|certificate",
        "TLS could not be agreed on",
        "see sslmode and sslrootcert: postgresql://…?sslmode=verify-full",
    ),
)
_UNKNOWN: Final = _Meaning("", "", "look at the database's own log")


def driver_error(error: Exception) -> Exception:
    """The driver's error, whether SQLAlchemy has wrapped it or not."""
    wrapped = error.orig if isinstance(error, DBAPIError) else None
    return wrapped if isinstance(wrapped, Exception) else error


def is_passing(error: Exception) -> bool:
    """Whether the same may succeed after a while, on a new connection."""
    cause = driver_error(error)
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)
        return code is not None and code & 0xFF in _SQLITE_PASSING
    state = getattr(cause, "sqlstate", None)
    if state is None:
        # What psycopg says of a lost connection has no SQLSTATE; nor has a ProgrammingError of its own.
        return type(cause).__name__ in {"OperationalError", "InterfaceError"}
    return str(state).startswith(_POSTGRESQL_PASSING)


def explained(error: Exception, address: DatabaseAddress, doing: str) -> StoreError:
    """The error for a person: what could not be done, why, what to do; without the password."""
    words = " ".join(address.conceal(str(driver_error(error))).split())
    meaning = next((meaning for meaning in _MEANINGS if re.search(meaning.sign, words, re.IGNORECASE)), _UNKNOWN)
    reason = f"{meaning.what} ({words})" if meaning.what else words
    return StoreError(f"cannot {doing}, {address.shown}: {reason}", hint=meaning.hint)
