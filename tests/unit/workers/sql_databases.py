"""Calls the TDE `sql` as the function that it is, on a SQLite file and on a real PostgreSQL."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from procos.sdk import TaskContext
from procos.sdk.context import JobLink
from procos_workers.sql import sql
from procos_workers.sql_config import SqlConfig
from procos_workers.sql_connection import close_connections
from procos_workers.sql_task import SqlInput, SqlOutput
from tests.servers.postgres import PostgresServer, postgres_fixture  # noqa: F401 - a fixture, used by name
from tests.unit.workers.context import task_context


@dataclass
class Database:
    """A fresh database under the connection names `db` and `reader` (read only), and a way to ask the TDE."""

    kind: str
    folder: Path
    connection: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> SqlConfig:
        connections = {"db": self.connection, "reader": {**self.connection, "read_only": True}}
        return SqlConfig.model_validate({"connections": connections, **self.settings})

    def __call__(
        self,
        statement: str | None = None,
        parameters: Any = None,
        *,
        job_key: int = 7,
        is_cancelled: Callable[[], bool] = lambda: False,
        connection: str = "db",
        **fields: Any,
    ) -> SqlOutput:
        given = {"connection": connection, "statement": statement, **fields}
        if parameters is not None:
            given["parameters"] = parameters
        return sql(SqlInput.model_validate(given), self.context(job_key=job_key, is_cancelled=is_cancelled))

    def context(self, *, job_key: int = 7, is_cancelled: Callable[[], bool] = lambda: False) -> TaskContext[SqlConfig]:
        link = JobLink(secret=self.secrets.__getitem__, is_cancelled=is_cancelled)
        return task_context(self.config, self.folder, job_key=job_key, link=link)

    def run(self, *statements: str) -> None:
        self(statements=[{"statement": statement} for statement in statements])

    def column(self, query: str) -> list[Any]:
        answer = self(query)
        return [row[answer.columns[0]] for row in answer.rows]

    @property
    def file(self) -> sqlite3.Connection:
        """The SQLite file, past the TDE."""
        return sqlite3.connect(self.folder / "test.db", isolation_level=None)


@pytest.fixture(name="sqlite")
def sqlite_fixture(tmp_path: Path) -> Database:
    return Database("sqlite", tmp_path, {"url": "sqlite:///test.db", "create": True})


@pytest.fixture(name="pg")
def pg_fixture(tmp_path: Path, postgres: PostgresServer) -> Iterator[Database]:
    secrets = {"SQL_TEST_URL": postgres.emptied_database()}
    yield Database("postgres", tmp_path, {"url_secret": "SQL_TEST_URL"}, secrets=secrets)
    close_connections()


@pytest.fixture(name="db", params=["sqlite", "pg"])
def db_fixture(request: pytest.FixtureRequest) -> Database:
    database: Database = request.getfixturevalue(request.param)
    return database


@dataclass
class InBackground:
    """A call in a thread of its own."""

    call: Callable[[], Any]
    result: Any = None
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self.result = self.call()
        except Exception as error:  # noqa: BLE001 - for the test to look at
            self.error = error

    def join(self) -> "InBackground":
        self._thread.join(60)
        assert not self._thread.is_alive(), "the call has not ended"
        return self
