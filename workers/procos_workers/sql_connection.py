"""Connections to the databases of the settings: opened, kept, and cleaned between two jobs."""

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, ExceptionContext, NullPool, create_engine, event, text

from procos.sdk import GiveUp
from procos_workers.sql_config import SqlConnection

OPENING: Final = "procos_opening"
"""An attribute of a driver's error: how many characters the driver wrote before the statement."""

_MOST_ENGINES = 32
# SQLite's own codes: https://www.sqlite.org/c3ref/c_alter_table.html
_READABLE_PRAGMAS = frozenset(
    {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list"}
)
_LIMIT_STATEMENT = text(
    "SELECT set_config('statement_timeout', CAST(CAST(1000 * extract(epoch FROM least("
    "nullif(CAST(current_setting('statement_timeout') AS interval), interval '0'),"
    " make_interval(secs => :seconds))) AS integer) AS text), true)"
)


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database, with all that opening it needs; equal ones share their connections."""

    url: URL
    settings: SqlConnection
    connect_limit_seconds: int
    time_limit_seconds: float
    folder: Path

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a SQLite file."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def password(self) -> str:
        """The password, so that it can be masked; empty if there is none."""
        return str(self.url.password or "")

    @property
    def file(self) -> Path:
        """The SQLite file; a relative path is below the TDE's data folder."""
        return (self.folder / str(self.url.database)).absolute()


class _Engines:
    """The engines of this process, one for each database; those that were not used for longest make room."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engines: dict[Database, Engine] = {}

    def of(self, database: Database) -> Engine:
        with self._lock:
            engine = self._engines.pop(database, None) or _make_engine(database)
            self._engines[database] = engine
            while len(self._engines) > _MOST_ENGINES:
                # Those of its connections that are in use stay so until they are given back.
                self._engines.pop(next(iter(self._engines))).dispose()
            return engine

    def close(self) -> None:
        with self._lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


_engines = _Engines()


def engine_of(database: Database) -> Engine:
    """The engine for a database; made at its first use.

    Raises:
        GiveUp: its driver is not installed, or its file is not there.
    """
    if database.is_sqlite and not (database.file.exists() or database.settings.create):
        raise GiveUp(
            f"the SQLite file {database.file} is not there; correct the path in the settings, or set create = true"
        )
    try:
        return _engines.of(database)
    except ImportError as error:
        raise GiveUp(
            f"PostgreSQL needs the driver psycopg, which cannot be loaded ({error}): pip install 'procos[postgres]'"
        ) from None


def close_connections() -> None:
    """Closes every idle connection that the TDE keeps; later jobs open new ones."""
    _engines.close()


def _make_engine(database: Database) -> Engine:
    if database.is_sqlite:
        database.folder.mkdir(parents=True, exist_ok=True)
        return create_engine(
            "sqlite://", creator=lambda: _open_file(database), poolclass=NullPool, hide_parameters=True
        )
    engine = create_engine(
        database.url,
        hide_parameters=True,
        pool_size=database.settings.pool_size,
        max_overflow=0,
        pool_timeout=database.time_limit_seconds,
        pool_recycle=database.settings.pool_recycle_seconds,
        pool_pre_ping=True,
        pool_reset_on_return=None,
        connect_args={
            "connect_timeout": database.connect_limit_seconds,
            "prepare_threshold": None,  # prepared statements would not outlive _clean
            "application_name": "procos",
        },
    )
    event.listen(engine, "reset", _clean)
    event.listen(engine, "handle_error", _note_opening)
    return engine


def _open_file(database: Database) -> sqlite3.Connection:
    mode = "ro" if database.settings.read_only else "rwc" if database.settings.create else "rw"
    connection = sqlite3.connect(
        f"file:{quote(str(database.file))}?mode={mode}",
        uri=True,
        isolation_level=None,  # transactions are begun by begin(), around reads and DDL too
        check_same_thread=False,
    )
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Keeps a statement inside its own file, and from changing what the connection is."""
    if action in {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH}:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and str(first).lower() not in _READABLE_PRAGMAS:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and str(second).lower() == "load_extension":
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _clean(connection: Any, _record: object, state: Any) -> None:  # noqa: ANN401 - the driver's own
    """What one job leaves in its session (settings, locks, temporary tables) is gone before the next."""
    if state.terminate_only:
        return
    connection.rollback()
    if not connection.closed:
        connection.autocommit = True
        connection.execute("DISCARD ALL")
        connection.autocommit = False


def _note_opening(context: ExceptionContext) -> None:
    """A cursor of the server puts its own words before the statement, which PostgreSQL counts too."""
    cursor: Any = getattr(context.execution_context, "cursor", None)
    name = getattr(cursor, "name", None)
    opening = len(f'DECLARE "{name}" CURSOR FOR ') if name else 0
    setattr(context.original_exception, OPENING, opening)
    if name and context.is_disconnect:
        cursor.close()  # SQLAlchemy leaves it open then, and psycopg warns about that


def begin(connection: Connection, database: Database, *, only_reads: bool, seconds: float) -> None:
    """Begins the job's transaction; from here on nothing can make a read-only connection write.

    SQLite waits up to that many seconds for whoever else writes to the file.
    """
    if database.is_sqlite:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
        # A transaction that begins to write late cannot wait for another writer.
        reads = only_reads or database.settings.read_only
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
        cast("sqlite3.Connection", connection.connection.driver_connection).set_authorizer(_authorize)
        return
    if database.settings.read_only:
        connection.execute(text("SET TRANSACTION READ ONLY"))
    # A SELECT, because after the first one PostgreSQL no longer takes SET TRANSACTION READ WRITE.
    connection.execute(text("SELECT set_config('standard_conforming_strings', 'on', true)"))


def limit_statement(connection: Connection, database: Database, *, seconds: float) -> None:
    """Lets the server end the next statement itself, should this worker be gone by then; its own limit may be lower."""
    if not database.is_sqlite:
        connection.execute(_LIMIT_STATEMENT, {"seconds": max(0.001, seconds)})
