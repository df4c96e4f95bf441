"""What a database refuses, said so that a person can mend it: in its own words, without values and passwords."""

import re
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from procos.sdk import BpmnError, GiveUp

CONSTRAINT_ERROR: Final = "SQL_CONSTRAINT"
"""The code of the BPMN error for a change that the database's own rules forbid; a process may catch it."""

_SHORTEST_MASKED = 4
_CONSTRAINTS = {
    "23502": "not_null",
    "23503": "foreign_key",
    "23505": "unique",
    "23514": "check",
    "23P01": "exclusion",
    "44000": "check",
    "P0001": "raised",
    "SQLITE_CONSTRAINT_NOTNULL": "not_null",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "foreign_key",
    "SQLITE_CONSTRAINT_UNIQUE": "unique",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "unique",
    "SQLITE_CONSTRAINT_ROWID": "unique",
    "SQLITE_CONSTRAINT_CHECK": "check",
    "SQLITE_CONSTRAINT_TRIGGER": "raised",
}
# Classes and codes of SQLSTATE after which the very same statement may succeed.
_PASSING = ("08", "40", "53", "57", "58", "55P03", "55006", "XX")
_STOPPED = {"57014", "SQLITE_INTERRUPT"}
_PASSING_SQLITE = {"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_FULL", "SQLITE_NOMEM", "SQLITE_PROTOCOL"}
# libpq gives no code for what a server says before the connection stands, only its words.
_LOGIN_REFUSED = re.compile(
    r"password authentication failed|no password supplied|authentication failed for user"
    r"|role \".*\" does not exist|database \".*\" does not exist|no pg_hba\.conf entry|not permitted to log in"
    r"|permission denied for database|invalid connection option|certificate verify failed"
    r"|server does not support SSL|root certificate file"
)
_HINTS = {
    "25006": "this connection is read_only in the settings (or the server is a standby): use another connection",
    "42501": "give the connection's user the permission, or use another connection",
    "42P18": "write CAST(:name AS its_type) for a parameter whose type the database cannot tell",
    "SQLITE_READONLY": "this connection is read_only in the settings, or the worker may not write the file",
    "SQLITE_AUTH": "the sql TDE lets no statement attach another file, load code or set a PRAGMA",
    "SQLITE_CANTOPEN": "check the path in the settings, and that the worker may use the file and its folder",
    "SQLITE_NOTADB": "check the path in the settings",
}


class SqlFailed(Exception):
    """The statements had no effect, or none that is known, and may succeed another time: the runtime tries again."""


def is_stopped(error: DBAPIError) -> bool:
    """Whether the database stopped the statement because it was told to, or because its time was over."""
    return _code_of(error) in _STOPPED


def explain(error: DBAPIError, *, where: str, position: str, values: Iterable[tuple[str, Any]]) -> Exception:
    """Turns a driver's error into one that says what to do.

    A violated rule of the database is a BPMN error; what may pass (deadlock, lost connection, full disk) is left to the
    runtime's retries; anything else ends the job for good. `values` are the parameters with their names, to be masked;
    `position` says where in the statement the error is.
    """
    code, words = _code_of(error), _words_of(error)
    if not code.startswith("42"):  # those are about the statement's own words
        words = _masked(words, values)
    if code in _CONSTRAINTS or code.startswith(("23", "SQLITE_CONSTRAINT")):
        return _constraint(error, code, f"{where}: {words}")
    message = f"{where}: the database says: {words}{position}"
    primary = "_".join(code.split("_")[:2])
    hint = _HINTS.get(code) or _HINTS.get(primary)
    if hint:
        return GiveUp(f"{message}; {hint}")
    if error.connection_invalidated or code.startswith(_PASSING) or primary in _PASSING_SQLITE:
        return SqlFailed(message)
    if not code and _is_operational(error) and not _LOGIN_REFUSED.search(words):
        return SqlFailed(message)
    return GiveUp(message)


def explain_connecting(error: DBAPIError, *, where: str, password: str) -> Exception:
    """Turns the error of a connection that did not come about into one that says what to do."""
    words = _words_of(error)
    if password:
        words = words.replace(password, "…")
    message = f"{where}: no connection to the database: {words}"
    primary = "_".join(_code_of(error).split("_")[:2])
    if primary in _HINTS:
        return GiveUp(f"{message}; {_HINTS[primary]}")
    if _LOGIN_REFUSED.search(words):
        return GiveUp(f"{message}; check the connection's url and password_secret in the settings, and the secret")
    return SqlFailed(f"{message}; check that the server runs, and host and port in the settings")


def _constraint(error: DBAPIError, code: str, message: str) -> BpmnError:
    diagnosis = getattr(error.orig, "diag", None)
    facts = {
        "kind": _CONSTRAINTS.get(code, "other"),
        "constraint": getattr(diagnosis, "constraint_name", None),
        "table": getattr(diagnosis, "table_name", None),
        "column": getattr(diagnosis, "column_name", None),
        "message": message,
    }
    return BpmnError(CONSTRAINT_ERROR, message, variables={"sql_error": facts})


def _code_of(error: DBAPIError) -> str:
    """PostgreSQL's SQLSTATE or the name of SQLite's extended code; nothing where the driver itself refused."""
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None) or ""


def _words_of(error: DBAPIError) -> str:
    """The primary message; PostgreSQL's details repeat whole rows, and SQLAlchemy's text the parameters."""
    diagnosis = getattr(error.orig, "diag", None)
    words = getattr(diagnosis, "message_primary", None) or str(error.orig) or type(error.orig).__name__
    return " ".join(words.split())


def _is_operational(error: DBAPIError) -> bool:
    return type(error.orig).__name__ in {"OperationalError", "InterfaceError"} or isinstance(error.orig, OSError)


def _masked(words: str, values: Iterable[tuple[str, Any]]) -> str:
    texts = {str(value): name for name, value in values if isinstance(value, str | int | float) and value != ""}
    for text in sorted(texts, key=len, reverse=True):
        for quoted in (f'"{text}"', f"'{text}'"):
            words = words.replace(quoted, f":{texts[text]}")
        if len(text) >= _SHORTEST_MASKED:
            words = words.replace(text, f":{texts[text]}")
    return words
