"""Statements run in one transaction, within limits: values bound, rows collected, failures explained."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import JsonValue
from sqlalchemy import BindParameter, Connection, CursorResult, TextClause, bindparam, text
from sqlalchemy.exc import DBAPIError

from procos.sdk import GiveUp
from procos_workers.sql_connection import OPENING, Database, begin, limit_statement
from procos_workers.sql_failure import SqlFailed, explain, is_stopped
from procos_workers.sql_statement import Statement, UnfitStatement, Use, read_statement
from procos_workers.sql_task import Parameters, SqlStatement, StatementResult
from procos_workers.sql_values import UnfitValue, to_database, to_json
from procos_workers.sql_watch import Watch

IDEMPOTENCY_PARAMETER: Final = "idempotency_key"

_ROWS_AT_A_TIME = 200
_SERVER_CLOCK_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A statement with its values, checked; a list of values runs it once for each of its elements."""

    where: str
    statement: Statement
    values: dict[str, Any] | list[dict[str, Any]]

    def named_values(self) -> Iterator[tuple[str, Any]]:
        """Every single value with the name of its parameter."""
        for values in self.values if isinstance(self.values, list) else [self.values]:
            for name, value in values.items():
                yield from ((name, element) for element in (value if isinstance(value, list) else [value]))

    @property
    def clause(self) -> TextClause:
        """The statement as SQLAlchemy runs it."""
        lists: list[BindParameter[Any]] = [
            bindparam(name, expanding=True) for name, use in self.statement.uses.items() if use is Use.LIST
        ]
        return text(self.statement.bound_text).bindparams(*lists)


@dataclass(kw_only=True)
class Limits:
    """What all statements of one job may give back together; counts down."""

    rows: int
    result_bytes: int
    truncate: bool

    def take(self, size: int) -> str:
        """Counts a row of that many bytes; says why if it may not be taken."""
        if self.rows < 1:
            return "more rows than max_rows allows: ask for fewer with LIMIT, or raise max_rows of the task or tde.sql"
        if size > self.result_bytes:
            return "more bytes than tde.sql.max_result_bytes allows: ask for fewer columns or rows, or raise it"
        self.rows -= 1
        self.result_bytes -= size
        return ""


def prepare(given: SqlStatement, *, where: str, is_sqlite: bool, idempotency_key: str) -> Prepared:
    """Reads a statement and fits its parameters to it, before any database is asked.

    Raises:
        GiveUp: the statement is not one that the TDE runs, or a parameter is missing, unused or unfit.
    """
    try:
        statement = read_statement(given.statement, is_sqlite=is_sqlite)
    except UnfitStatement as error:
        raise GiveUp(f"{where}: {error}") from None
    many = isinstance(given.parameters, list)
    if many and statement.gives_rows:
        raise GiveUp(f"{where}: with a list of parameters a statement gives no rows; leave out SELECT and RETURNING")
    if many and Use.LIST in statement.uses.values():
        raise GiveUp(f"{where}: with a list of parameters there can be no list behind IN; give one object")

    def fit(parameters: Parameters) -> dict[str, Any]:
        return _fit(parameters, statement.uses, where=where, is_sqlite=is_sqlite, idempotency_key=idempotency_key)

    values = [fit(one) for one in given.parameters] if isinstance(given.parameters, list) else fit(given.parameters)
    return Prepared(where=where, statement=statement, values=values)


def _fit(
    parameters: Parameters, uses: Mapping[str, Use], *, where: str, is_sqlite: bool, idempotency_key: str
) -> dict[str, Any]:
    given = {IDEMPOTENCY_PARAMETER: idempotency_key, **parameters}
    missing = [name for name in uses if name not in given]
    if missing:
        raise GiveUp(f"{where}: the statement has :{missing[0]}, but its parameters have no '{missing[0]}'; add it")
    unused = [name for name in parameters if name not in uses]
    if unused:
        raise GiveUp(
            f"{where}: there is a parameter '{unused[0]}', but the statement has no :{unused[0]}; leave it out, or use"
            " it (between quotes it would be plain text)"
        )
    values: dict[str, Any] = {}
    for name, use in uses.items():
        try:
            values[name] = to_database(given[name], use, is_sqlite=is_sqlite)
        except UnfitValue as error:
            raise GiveUp(f"{where}: the parameter '{name}' {error}") from None
    return values


def run_all(
    connection: Connection, statements: Sequence[Prepared], *, database: Database, limits: Limits, watch: Watch
) -> list[StatementResult]:
    """Runs the statements in one transaction and commits it; if anything fails, none of them has taken effect.

    Raises:
        BpmnError: a rule of the database forbids the change.
        GiveUp: a person has to mend something.
        SqlFailed: it may succeed another time.
    """
    current = statements[0]
    results = []
    try:
        only_reads = all(prepared.statement.only_reads for prepared in statements)
        begin(connection, database, only_reads=only_reads, seconds=watch.seconds_left)
        for current in statements:
            limit_statement(connection, database, seconds=watch.seconds_left)
            results.append(_run(connection, current, limits))
            if watch.was_cancelled:
                raise SqlFailed(f"{current.where}: the job is gone; nothing was changed")
        _commit(connection, current.where)
    except DBAPIError as error:
        raise _explained(error, current, watch) from None
    return results


def _commit(connection: Connection, where: str) -> None:
    try:
        connection.commit()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise SqlFailed(
            f"{where}: the connection broke during the commit, so the changes may be there or not; with"
            f" :{IDEMPOTENCY_PARAMETER} a statement can tell"
        ) from None


def _run(connection: Connection, prepared: Prepared, limits: Limits) -> StatementResult:
    if isinstance(prepared.values, list) and not prepared.values:
        return StatementResult()  # SQLAlchemy would run it once, without any values
    options = {"stream_results": prepared.statement.is_query, "max_row_buffer": _ROWS_AT_A_TIME}
    with connection.execute(prepared.clause, prepared.values, execution_options=options) as result:
        if result.returns_rows:
            return _collect(result, limits, prepared.where)
        return StatementResult(row_count=max(0, result.rowcount))


def _collect(result: CursorResult[Any], limits: Limits, where: str) -> StatementResult:
    columns = list(result.keys())
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise GiveUp(f"{where}: the result has two columns '{twice}'; name them differently with AS")
    rows: list[dict[str, JsonValue]] = []
    for found in result:
        row = dict(zip(columns, map(to_json, found), strict=True))
        excess = limits.take(len(json.dumps(row, ensure_ascii=False).encode(errors="surrogatepass")))
        if excess and not limits.truncate:
            raise GiveUp(f"{where}: the result has {excess}, or set 'truncate' to leave the rest out")
        if excess:
            return StatementResult(rows=rows, columns=columns, row_count=len(rows), truncated=True)
        rows.append(row)
    return StatementResult(rows=rows, columns=columns, row_count=len(rows))


def _explained(error: DBAPIError, prepared: Prepared, watch: Watch) -> Exception:
    if watch.was_cancelled:
        return SqlFailed(f"{prepared.where}: the job is gone, so its statement was stopped; nothing was changed")
    if watch.has_stopped or (is_stopped(error) and watch.seconds_left < _SERVER_CLOCK_S):
        return SqlFailed(
            f"{prepared.where}: stopped at its time limit of {watch.seconds:g} s, nothing was changed; find out why it"
            " is slow (a lock, a missing index), or raise time_limit_seconds of the task or tde.sql"
        )
    position = getattr(getattr(error.orig, "diag", None), "statement_position", None)
    place = ""
    if position is not None:
        place = prepared.statement.locate(int(position), opening=getattr(error.orig, OPENING, 0))
    return explain(error, where=prepared.where, position=place, values=prepared.named_values())
