"""The state database opened: connected, and its schema taken to the newest step."""

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from procos.adapters.state.address import DatabaseAddress, file_address, read_address
from procos.adapters.state.failures import explained
from procos.adapters.state.migrations import REVISIONS, revision_of, upgrade
from procos.errors import MissingExtraError, StoreError

READS_ONLY: Final = "procos_reads_only"
"""An option of SQLAlchemy's `execution_options`: the transaction changes nothing, and waits for no writer."""

_WAIT_FOR_OTHERS_S: Final = 60
_BUSY_TIMEOUT_MS: Final = 5_000
_ADVISORY_LOCK: Final = 0x50726F634F53  # "ProcOS"; any number will do that nobody else locks
_SERVER_OPTIONS: Final = {
    "application_name": "procos",
    "client_encoding": "utf8",
    "connect_timeout": 10,
    # A server that is gone without a word is noticed within half a minute, not after the system's two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
_log = logging.getLogger(__name__)
_upgrade_lock = threading.Lock()  # Alembic keeps the running migration in a global


@dataclass(frozen=True)
class Database:
    """An open database; adapters share its `engine`, each with connections of its own."""

    address: DatabaseAddress
    engine: Engine

    def close(self) -> None:
        """Closes the connections that are in the pool; the adapters close theirs."""
        self.engine.dispose()


def open_database(where: str | Path) -> Database:
    """Opens a database by its URL, or an SQLite file by its path, and takes its schema to the newest step.

    Safe when several processes do it at once. Blocks: up to a minute while another process changes the schema.

    Raises:
        StoreError: it cannot be reached, read or written, or a newer ProcOS has used it; says what to do.
        MissingExtraError: the driver for PostgreSQL is not installed.
    """
    address = file_address(where) if isinstance(where, Path) else read_address(where)
    if not address.is_sqlite:
        return _opened(address, _postgresql_engine(address))
    _make_file(address.file)
    with _alone_at(address):
        return _opened(address, _sqlite_engine(address))


def _opened(address: DatabaseAddress, engine: Engine) -> Database:
    try:
        with engine.begin() as connection:
            if not _is_newest(connection, address):
                _take_to_newest(connection, address)
    except (SQLAlchemyError, sqlite3.Error) as error:
        engine.dispose()
        raise explained(error, address, "open the state database") from None
    except BaseException:
        engine.dispose()
        raise
    return Database(address, engine)


def _take_to_newest(connection: Connection, address: DatabaseAddress) -> None:
    if not address.is_sqlite:
        _check_encoding(connection, address)
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_WAIT_FOR_OTHERS_S}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        if _is_newest(connection, address):
            return
    with _upgrade_lock:
        upgrade(connection)
    _log.info("the schema of the state database, %s, is now at step %s", address.shown, REVISIONS[-1])


def _check_encoding(connection: Connection, address: DatabaseAddress) -> None:
    found = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if found != "UTF8":
        raise StoreError(
            f"cannot open the state database, {address.shown}: its encoding is {found}, which lacks most letters",
            hint="make another one: CREATE DATABASE procos ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0",
        )


def _is_newest(connection: Connection, address: DatabaseAddress) -> bool:
    found = revision_of(connection)
    if found is not None and found not in REVISIONS:
        raise StoreError(
            f"a newer ProcOS has used the state database, {address.shown}: its schema is at step {found}, "
            f"this ProcOS knows steps up to {REVISIONS[-1]}",
            hint="install the newer ProcOS again (pip install --upgrade procos), or give another database",
        )
    return found == REVISIONS[-1]


def _postgresql_engine(address: DatabaseAddress) -> Engine:
    options = {name: value for name, value in _SERVER_OPTIONS.items() if name not in address.url.query}
    try:
        # Two connections are enough for what is short; the ledger holds one more.
        return create_engine(address.url, connect_args=options, pool_size=2, pool_pre_ping=True)
    except ImportError:
        raise MissingExtraError("a state database in PostgreSQL", "postgres") from None


def _sqlite_engine(address: DatabaseAddress) -> Engine:
    engine = create_engine(address.url, pool_size=2)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:  # noqa: ANN401 - SQLAlchemy's record
    # The driver would begin transactions by guesswork, and none before CREATE TABLE.
    connection.isolation_level = None
    # NORMAL: what is committed survives the end of this process, however it ends; only a power failure may take the
    # last moments with it. FULL would wait for the disk at every commit.
    for setting in (
        f"busy_timeout = {_BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {setting}").close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and then writes would be refused when another process has written in between.
    kind = "DEFERRED" if connection.get_execution_options().get(READS_ONLY) else "IMMEDIATE"
    connection.exec_driver_sql(f"BEGIN {kind}")


def _make_file(file: Path) -> None:
    """Made here and not by SQLite, so that only its owner can read the variables in it."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(
            f"cannot open the state database, {file}: {error.strerror}",
            hint="make the file and its folder writable for this user, or give another path",
        ) from None


@contextmanager
def _alone_at(address: DatabaseAddress) -> Iterator[None]:
    """Holds a lock beside the file: SQLite itself does not wait when two processes turn the same new file to WAL."""
    lock = FileLock(f"{address.file}.lock", timeout=_WAIT_FOR_OTHERS_S, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise StoreError(
            f"another process has been opening the state database, {address.shown}, for {_WAIT_FOR_OTHERS_S} s",
            hint=f"see which one holds {lock.lock_file}",
        ) from None
    except OSError as error:
        raise StoreError(
            f"cannot open the state database: {lock.lock_file}: {error.strerror}",
            hint="make the folder writable for this user",
        ) from None
    try:
        yield
    finally:
        lock.release()
