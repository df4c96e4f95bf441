"""Short transactions of one adapter, one after the other in a thread of its own, with patience."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from procos.adapters.state.batches import BatchThread, Call
from procos.adapters.state.database import READS_ONLY, Database
from procos.adapters.state.failures import explained, is_passing
from procos.errors import StoreError

PATIENCE: Final = timedelta(seconds=5)
_NO_ANSWER: Final = timedelta(seconds=30)
_FIRST_WAIT_S: Final = 0.02
_LONGEST_WAIT_S: Final = 0.5
T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Transaction:
    doing: str
    statements: Callable[[Connection], Any]
    only_reads: bool


class Transactions:
    """Runs them on `database`; trouble that passes (locked, connection lost, failover) is waited out for `patience`.

    The statements of one that failed are run again from their beginning; so they must say the same each time. Those
    that come while others run are put into one transaction.
    """

    def __init__(self, database: Database, *, name: str, patience: timedelta = PATIENCE) -> None:
        self._database = database
        self._patience = patience.total_seconds()
        self._reading = database.engine.execution_options(**{READS_ONLY: True})
        self._errors = (SQLAlchemyError, database.engine.dialect.loaded_dbapi.Error)
        self._thread: BatchThread[_Transaction] = BatchThread(
            self._work, at_end=lambda: None, name=name, limit=patience + _NO_ANSWER
        )

    async def read(self, doing: str, statements: Callable[[Connection], T]) -> T:
        """What `statements` gives; they change nothing. `doing` says in errors what was tried.

        Raises:
            StoreError: it failed for good, for longer than the patience, or this is closed; says what to do.
        """
        result: T = await self._thread.call(_Transaction(doing, statements, only_reads=True))
        return result

    async def write(self, doing: str, statements: Callable[[Connection], T]) -> T:
        """What `statements` gives, committed. `doing` says in errors what was tried.

        Raises:
            StoreError: it failed for good, for longer than the patience, or this is closed; says what to do.
        """
        result: T = await self._thread.call(_Transaction(doing, statements, only_reads=False))
        return result

    async def close(self) -> None:
        """Lets what is under way end; further calls are refused."""
        await self._thread.close()

    def _work(self, batch: Sequence[Call[_Transaction]]) -> None:
        if len(batch) > 1 and self._together(batch):
            return
        for call in batch:
            try:
                call.result = self._run(call.request)
            except Exception as error:  # noqa: BLE001 - carried over to the one who waits
                call.error = error

    def _together(self, batch: Sequence[Call[_Transaction]]) -> bool:
        """All of them in one transaction, which costs half; where one fails, none of them has happened."""
        try:
            with self._engine_for(call.request for call in batch).begin() as connection:
                results = [call.request.statements(connection) for call in batch]
        except Exception as error:  # noqa: BLE001 - each alone then tells whose it is, and what
            _log.debug("%d transactions are run one by one: %s", len(batch), error)
            return False
        for call, result in zip(batch, results, strict=True):
            call.result = result
        return True

    def _engine_for(self, transactions: Iterable[_Transaction]) -> Engine:
        return self._reading if all(it.only_reads for it in transactions) else self._database.engine

    def _run(self, transaction: _Transaction) -> Any:  # noqa: ANN401 - what the statements give
        engine = self._engine_for([transaction])
        deadline = time.monotonic() + self._patience
        wait = _FIRST_WAIT_S
        while True:
            try:
                with engine.begin() as connection:
                    return transaction.statements(connection)
            except self._errors as error:
                if not is_passing(error) or time.monotonic() + wait > deadline:
                    raise explained(error, self._database.address, transaction.doing) from None
            time.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_S)


def checked_engine_id(engine_id: str, what: str) -> str:
    """The id, if it can tell engines apart.

    Raises:
        StoreError: it is empty, or holds NUL.
    """
    if not engine_id or "\0" in engine_id:
        raise StoreError(f"{what} needs an engine id: some text without NUL")
    return engine_id
