"""One connection of the driver's, kept over many calls; made anew, with patience, when it is lost."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import PoolProxiedConnection
from sqlalchemy.exc import SQLAlchemyError

from procos.adapters.state.database import Database
from procos.adapters.state.failures import explained, is_passing

_FIRST_WAIT_S: Final = 0.02
_LONGEST_WAIT_S: Final = 0.5
T = TypeVar("T")


class DriverSession:
    """For one thread; `prepare` is called with each new connection of the driver's."""

    def __init__(self, database: Database, *, prepare: Callable[[Any], None], patience: timedelta) -> None:
        self._database = database
        self._prepare = prepare
        self._patience = patience.total_seconds()
        self._errors = (SQLAlchemyError, database.engine.dialect.loaded_dbapi.Error)
        self._connection: PoolProxiedConnection | None = None

    def run(self, doing: str, statements: Callable[[Any], T]) -> T:
        """Runs `statements` on the connection, from their beginning again when something came between.

        Raises:
            StoreError: it failed for good, or for longer than the patience; says what to do.
        """
        deadline = time.monotonic() + self._patience
        wait = _FIRST_WAIT_S
        while True:
            try:
                return statements(self._connected())
            except self._errors as error:
                self.drop()
                if not is_passing(error) or time.monotonic() + wait > deadline:
                    raise explained(error, self._database.address, doing) from None
            time.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_S)

    def drop(self) -> None:
        """Closes the connection, and with it whatever was not committed; the next run makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()

    def _connected(self) -> Any:  # noqa: ANN401 - the driver's
        if self._connection is None:
            self._connection = self._database.engine.raw_connection()
            self._prepare(self._connection.driver_connection)
        return self._connection.driver_connection
