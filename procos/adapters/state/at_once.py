"""SQLite on the caller's own thread, as long as that takes no waiting.

Handing a call to another thread and back costs 10 to 20 times what SQLite needs for a few rows in a file's cache.
"""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from procos.adapters.state.failures import is_passing

_BYTES_BETWEEN_CHECKPOINTS: Final = 4 * 1024 * 1024
_BYTES_OF_A_ROW: Final = 8 * 1024
"""What a row costs beside its text: a page of the table, and one of its key's index."""
T = TypeVar("T")


class SqliteAtOnce:
    """A connection that waits for nobody: neither for a lock, nor for the disk at a checkpoint."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._bytes_ahead = 0
        self._is_closed = False

    def read(self, statements: Callable[[sqlite3.Connection], T]) -> T | None:
        """What `statements` gives; None where that needs time, or fails: then ask in a thread."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            connection = self._connected()
            if connection is None:
                return None
            with connection:  # rolls back a transaction that its error has left open
                return statements(connection)
        except sqlite3.Error as error:
            if not is_passing(error):
                self._drop()
            return None
        finally:
            self._lock.release()

    def write(self, statements: Callable[[sqlite3.Connection], None], *, rows: int, letters: int) -> bool:
        """Whether `statements` have been carried out; where not, nothing has changed.

        Now and then a write is left to the thread, whose connection then moves what was written into the file.
        """
        self._bytes_ahead += rows * _BYTES_OF_A_ROW + letters
        if self._bytes_ahead > _BYTES_BETWEEN_CHECKPOINTS:
            self._bytes_ahead = 0
            return False

        def carry_out(connection: sqlite3.Connection) -> bool:
            statements(connection)
            return True

        return bool(self.read(carry_out))

    def close(self) -> None:
        """Closes the connection; further calls find that everything needs time."""
        with self._lock:
            self._is_closed = True
            self._drop()

    def _connected(self) -> sqlite3.Connection | None:
        if self._connection is None and not self._is_closed:
            connection = sqlite3.connect(self._file, timeout=0, isolation_level=None, check_same_thread=False)
            self._connection = connection
            for setting in ("synchronous = NORMAL", "wal_autocheckpoint = 0"):
                connection.execute(f"PRAGMA {setting}").close()
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
