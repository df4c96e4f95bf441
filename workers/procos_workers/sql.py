"""The TDE `sql`: runs SQL with bound parameters in a database that the settings name, and gives its rows back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoneIsFree

from procos.sdk import GiveUp, TaskContext, tde
from procos_workers.sql_config import ALLOWED_SECRETS, SqlConfig, read_url
from procos_workers.sql_connection import Database, engine_of
from procos_workers.sql_failure import SqlFailed, explain_connecting
from procos_workers.sql_run import Limits, prepare, run_all
from procos_workers.sql_task import SqlInput, SqlOutput
from procos_workers.sql_watch import Watch


@tde(
    "sql",
    description="Runs SQL statements with bound parameters in a PostgreSQL or SQLite database, gives the rows back",
    config=SqlConfig,
    time_limit=timedelta(hours=1),
    secrets=[ALLOWED_SECRETS],
    examples=["Look up the customer in the database", "Insert the order into the table of orders"],
)
def sql(task: SqlInput, context: TaskContext[SqlConfig]) -> SqlOutput:
    """Runs the statements in one transaction, and commits it when all have run and their rows were taken.

    A job may run again after a crash, even if it had committed: the parameter :idempotency_key, the same for every
    attempt, lets a statement notice that.

    Raises:
        BpmnError: SQL_CONSTRAINT, a rule of the database forbids the change (unique, foreign key, check, ...).
        GiveUp: a person has to mend something: the statement, a parameter, the settings, a permission, a limit.
        SqlFailed: it may succeed another time: deadlock, lost connection, server away, time limit.
    """
    config = context.config
    database = _database(task.connection, context)
    several = task.statements is not None
    statements = [
        prepare(
            statement,
            where=f"'{task.connection}'" + (f", statement {number}" if several else ""),
            is_sqlite=database.is_sqlite,
            idempotency_key=context.idempotency_key,
        )
        for number, statement in enumerate(task.all_statements(), start=1)
    ]
    limits = Limits(
        rows=min(config.max_rows, task.max_rows or config.max_rows),
        result_bytes=config.max_result_bytes,
        truncate=task.truncate,
    )
    seconds = min(config.time_limit_seconds, task.time_limit_seconds or config.time_limit_seconds)
    watch = Watch(seconds=seconds, is_cancelled=lambda: context.cancelled)
    with _connected(database, where=f"'{task.connection}'") as connection, watch.over(connection):
        results = run_all(connection, statements, database=database, limits=limits, watch=watch)
    return SqlOutput(**dict(results[-1]), results=results if several else [])


def _database(name: str, context: TaskContext[SqlConfig]) -> Database:
    settings = context.config.connections.get(name)
    if settings is None:
        known = ", ".join(sorted(context.config.connections)) or "none"
        raise GiveUp(
            f"the settings have no connection '{name}' (there is: {known}); correct the name, or add"
            f" [tde.sql.connections.{name}] to procos.toml"
        )
    try:
        url = read_url(settings.url if settings.url is not None else context.secret(settings.url_secret or ""))
    except ValueError as error:
        raise GiveUp(f"'{name}': the secret {settings.url_secret}: {error}") from None
    if settings.password_secret is not None:
        url = url.set(password=context.secret(settings.password_secret))
    return Database(
        url=url,
        settings=settings,
        connect_limit_seconds=context.config.connect_limit_seconds,
        time_limit_seconds=context.config.time_limit_seconds,
        folder=context.data_folder,
    )


@contextmanager
def _connected(database: Database, *, where: str) -> Iterator[Connection]:
    try:
        connection = engine_of(database).connect()
    except DBAPIError as error:
        raise explain_connecting(error, where=where, password=database.password) from None
    except NoneIsFree:
        raise SqlFailed(
            f"{where}: all {database.settings.pool_size} connections were in use for"
            f" {database.time_limit_seconds:g} s; raise pool_size of the connection"
        ) from None
    try:
        yield connection
    finally:
        _give_back(connection)


def _give_back(connection: Connection) -> None:
    try:
        connection.close()
    except DBAPIError:  # it cannot even roll back; the outcome of the job is known already
        connection.invalidate()
        connection.close()
