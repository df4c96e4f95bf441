"""The ledger's SQL for either database, on the driver's own connection.

SQLAlchemy's statements would cost 60 to 100 µs of CPU each, the driver's 5 to 15, and a recall stands before every job.
Any number of keys fits into one statement, so that no limit on parameters is met.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol, TypeAlias

from procos.adapters.state.outcome_rows import OutcomeRow

DriverConnection: TypeAlias = Any
"""sqlite3's or psycopg's connection; both have `execute`."""

_SELECT: Final = "SELECT job_key, failures, progress, outcome_kind, outcome FROM outcome_ledger"
_COLUMNS: Final = "engine_id, job_key, failures, progress, outcome_kind, outcome, written_at"
_REPLACE: Final = (
    "ON CONFLICT (engine_id, job_key) DO UPDATE SET failures = excluded.failures, progress = excluded.progress, "
    "outcome_kind = excluded.outcome_kind, outcome = excluded.outcome, written_at = excluded.written_at"
)


class OutcomeStatements(Protocol):
    """What the ledger asks of a database, each as one transaction; `connection` is the driver's, in autocommit."""

    def prepare(self, connection: DriverConnection) -> None:
        """Makes a new connection ready."""
        ...

    def recall(self, connection: DriverConnection, keys: Sequence[int]) -> Iterable[OutcomeRow]:
        """The rows of those keys that have one."""
        ...

    def write(
        self, connection: DriverConnection, rows: Sequence[OutcomeRow], gone: Sequence[int], at: datetime
    ) -> None:
        """Writes `rows` and removes those of the keys `gone`."""
        ...

    def prune(self, connection: DriverConnection, until: datetime) -> int:
        """Removes what was written until then, and says how many rows."""
        ...


class SqliteOutcomes:
    """The statements for SQLite."""

    def __init__(self, engine_id: str) -> None:
        self._engine_id = engine_id

    def prepare(self, connection: DriverConnection) -> None:
        """Nothing: `isolation_level` None is autocommit."""

    def recall(self, connection: DriverConnection, keys: Sequence[int]) -> Iterable[OutcomeRow]:
        """The rows of those keys that have one."""
        if len(keys) == 1:
            found = connection.execute(f"{_SELECT} WHERE engine_id = ? AND job_key = ?", (self._engine_id, keys[0]))
        else:
            statement = f"{_SELECT} WHERE engine_id = ? AND job_key IN (SELECT value FROM json_each(?))"  # noqa: S608
            found = connection.execute(statement, (self._engine_id, json.dumps(keys)))
        return map(OutcomeRow._make, found.fetchall())

    def write(
        self, connection: DriverConnection, rows: Sequence[OutcomeRow], gone: Sequence[int], at: datetime
    ) -> None:
        """Writes `rows` and removes those of the keys `gone`."""
        if len(rows) + bool(gone) == 1:
            self._write(connection, rows, gone, at)
            return
        connection.execute("BEGIN IMMEDIATE")
        self._write(connection, rows, gone, at)
        connection.execute("COMMIT")  # a connection on which something failed is closed, and rolls back

    def _write(
        self, connection: DriverConnection, rows: Sequence[OutcomeRow], gone: Sequence[int], at: datetime
    ) -> None:
        written_at = _text(at)
        if rows:
            connection.executemany(
                f"INSERT INTO outcome_ledger ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) {_REPLACE}",  # noqa: S608
                [(self._engine_id, *row, written_at) for row in rows],
            )
        if gone:
            connection.execute(
                "DELETE FROM outcome_ledger WHERE engine_id = ? AND job_key IN (SELECT value FROM json_each(?))",
                (self._engine_id, json.dumps(gone)),
            )

    def prune(self, connection: DriverConnection, until: datetime) -> int:
        """Removes what was written until then, and says how many rows."""
        statement = "DELETE FROM outcome_ledger WHERE engine_id = ? AND written_at <= ?"
        removed: int = connection.execute(statement, (self._engine_id, _text(until))).rowcount
        return removed


class PostgresqlOutcomes:
    """The statements for PostgreSQL, through psycopg."""

    def __init__(self, engine_id: str) -> None:
        self._engine_id = engine_id

    def prepare(self, connection: DriverConnection) -> None:
        """One statement, one round trip; each is a transaction of its own."""
        connection.autocommit = True

    def recall(self, connection: DriverConnection, keys: Sequence[int]) -> Iterable[OutcomeRow]:
        """The rows of those keys that have one."""
        statement = f"{_SELECT} WHERE engine_id = %s AND job_key = ANY(%s::bigint[])"
        found = connection.execute(statement, (self._engine_id, list(keys)))
        return map(OutcomeRow._make, found.fetchall())

    def write(
        self, connection: DriverConnection, rows: Sequence[OutcomeRow], gone: Sequence[int], at: datetime
    ) -> None:
        """Writes `rows`, then removes those of the keys `gone`."""
        if rows:
            # Texts go as binary (%b): in an array literal each quote and backslash would have to be escaped.
            connection.execute(
                f"INSERT INTO outcome_ledger ({_COLUMNS}) SELECT %s, r.*, %s "  # noqa: S608 - constants
                f"FROM unnest(%s::bigint[], %s::integer[], %b::text[], %b::text[], %b::text[]) AS r {_REPLACE}",
                (self._engine_id, at, *map(list, zip(*rows, strict=True))),
            )
        if gone:
            statement = "DELETE FROM outcome_ledger WHERE engine_id = %s AND job_key = ANY(%s::bigint[])"
            connection.execute(statement, (self._engine_id, gone))

    def prune(self, connection: DriverConnection, until: datetime) -> int:
        """Removes what was written until then, and says how many rows."""
        statement = "DELETE FROM outcome_ledger WHERE engine_id = %s AND written_at <= %s"
        removed: int = connection.execute(statement, (self._engine_id, until)).rowcount
        return removed


def _text(moment: datetime) -> str:
    """As SQLAlchemy writes a DateTime into SQLite; in UTC, so that the order of texts is that of moments."""
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
