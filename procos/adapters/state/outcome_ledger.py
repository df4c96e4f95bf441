"""The OutcomeLedger port on the state database."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from procos.adapters.state.at_once import SqliteAtOnce
from procos.adapters.state.batches import BatchThread, Call
from procos.adapters.state.database import Database
from procos.adapters.state.json_text import checked_key
from procos.adapters.state.outcome_rows import OutcomeRow, entry_of, row_of
from procos.adapters.state.outcome_statements import DriverConnection, PostgresqlOutcomes, SqliteOutcomes
from procos.adapters.state.session import DriverSession
from procos.errors import StoreError
from procos.model.ledger import LedgerEntry

_MOST_AT_ONCE: Final = 64
_MOST_LETTERS_AT_ONCE: Final = 100_000
"""What keeps the event loop for about a millisecond; more goes to the thread."""
_NO_ANSWER: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class _Recall:
    keys: Sequence[int]


@dataclass(frozen=True, slots=True)
class _Write:
    """Rows by key; None removes one."""

    rows: Mapping[int, OutcomeRow | None]


@dataclass(frozen=True, slots=True)
class _Prune:
    until: datetime


_Request = _Recall | _Write | _Prune
_Call = Call[Any]


class SqlOutcomeLedger:
    """The entries of one engine; `engine_id` must differ between engines whose job keys may be the same.

    With SQLite, what is small is done on the spot, as long as nobody holds a lock; everything else in one thread.
    All calls that come while that is busy with others go into one statement and one commit. Trouble that
    passes (locked, connection lost, failover) is waited out for `patience`; then every call raises `StoreError`.
    """

    def __init__(self, database: Database, *, engine_id: str, patience: timedelta = timedelta(seconds=5)) -> None:
        if not engine_id or "\0" in engine_id:
            raise StoreError("the ledger needs an engine id: some text without NUL")
        self._statements = SqliteOutcomes(engine_id) if database.address.is_sqlite else PostgresqlOutcomes(engine_id)
        self._session = DriverSession(database, prepare=self._statements.prepare, patience=patience)
        self._at_once = SqliteAtOnce(database.address.file) if database.address.is_sqlite else None
        self._thread: BatchThread[_Request] = BatchThread(
            self._work, at_end=self._session.drop, name="the outcome ledger", limit=patience + _NO_ANSWER
        )

    async def recall(self, job_keys: Sequence[int]) -> Mapping[int, LedgerEntry]:
        """The entries of those of `job_keys` that have one; of one that cannot be read, what can."""
        if not job_keys:
            return {}
        keys = [checked_key(key, "job") for key in job_keys]
        rows = None
        if self._at_once and len(keys) <= _MOST_AT_ONCE:
            rows = self._at_once.read(lambda connection: self._read(connection, keys))
        if rows is None:
            rows = await self._thread.call(_Recall(keys))
        return {key: entry_of(row) for key, row in rows.items()}

    async def record(self, entries: Sequence[LedgerEntry]) -> None:
        """Writes all of `entries`, or none; an entry that is there is replaced. Durable when it returns."""
        if entries:
            await self._change({entry.job_key: row_of(entry) for entry in entries})

    async def forget(self, job_keys: Collection[int]) -> None:
        """Removes entries; a key without one is no error."""
        if job_keys:
            await self._change(dict.fromkeys(checked_key(key, "job") for key in job_keys))

    async def _change(self, rows: Mapping[int, OutcomeRow | None]) -> None:
        letters = sum(len(row.progress or "") + len(row.outcome or "") for row in rows.values() if row is not None)
        if self._at_once and len(rows) <= _MOST_AT_ONCE and letters <= _MOST_LETTERS_AT_ONCE:
            apply = partial(self._apply, rows=rows)
            if self._at_once.write(apply, rows=len(rows), letters=letters):
                return
        await self._thread.call(_Write(rows))

    async def prune(self, older_than: timedelta) -> int:
        """Removes entries that nobody has written for that long, and says how many."""
        try:
            until = datetime.now(UTC) - older_than
        except OverflowError:
            return 0
        removed: int = await self._thread.call(_Prune(until))
        return removed

    async def close(self) -> None:
        """Ends the thread and closes the ledger's connections; the database stays open for others."""
        await self._thread.close()
        if self._at_once:
            await asyncio.to_thread(self._at_once.close)

    def _work(self, batch: Sequence[_Call]) -> None:
        """Carries out a batch, each kind of request together."""
        for kind, carry_out in ((_Write, self._write), (_Prune, self._prune), (_Recall, self._recall)):
            calls = [call for call in batch if isinstance(call.request, kind)]
            if calls:
                _settle(calls, carry_out)

    def _write(self, calls: Sequence[_Call]) -> None:
        rows: dict[int, OutcomeRow | None] = {}
        for call in calls:
            rows |= call.request.rows
        self._session.run("write to the outcome ledger", lambda connection: self._apply(connection, rows))

    def _prune(self, calls: Sequence[_Call]) -> None:
        for call in calls:
            prune = partial(self._statements.prune, until=call.request.until)
            call.result = self._session.run("clear the outcome ledger", prune)

    def _recall(self, calls: Sequence[_Call]) -> None:
        keys = list({key for call in calls for key in call.request.keys})
        found = self._session.run("read the outcome ledger", lambda connection: self._read(connection, keys))
        for call in calls:
            call.result = {key: found[key] for key in call.request.keys if key in found}

    def _read(self, connection: DriverConnection, keys: Sequence[int]) -> dict[int, OutcomeRow]:
        return {row.job_key: row for row in self._statements.recall(connection, keys)}

    def _apply(self, connection: DriverConnection, rows: Mapping[int, OutcomeRow | None]) -> None:
        gone = [key for key, row in rows.items() if row is None]
        kept = [row for row in rows.values() if row is not None]
        self._statements.write(connection, kept, gone, datetime.now(UTC))


def _settle(calls: Sequence[_Call], carry_out: Callable[[Sequence[_Call]], None]) -> None:
    try:
        carry_out(calls)
    except StoreError as error:
        for call in calls:
            call.error = error
