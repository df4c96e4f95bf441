"""Definitions and routing memory when their database is old, locked, away, or holds what cannot be read."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import insert

from procos.adapters.state import migrations
from procos.adapters.state.database import open_database
from procos.adapters.state.definition_store import SqlDefinitionStore
from procos.adapters.state.outcome_ledger import SqlOutcomeLedger
from procos.adapters.state.routing_memory import SqlRoutingMemory
from procos.adapters.state.tables import routing_decision
from procos.errors import StoreError
from procos.model.definition import ProcessDefinition, TaskElement
from procos.model.ledger import LedgerEntry
from procos.model.routing import KeptDecision, RoutingDecision, RoutingExample
from tests.servers.postgres import (
    PASSWORD,
    PostgresServer,
    postgres_fixture,  # noqa: F401 - fixtures, used by name
    postgres_server,
    postgres_url_fixture,  # noqa: F401
)

pytestmark = pytest.mark.anyio

KEY = 2251799813685249
NOW = datetime(2026, 11, 22, 17, tzinfo=UTC)
DEFINITION = ProcessDefinition(
    key=KEY, id="order", version=1, resource_name="order.bpmn", xml=b"<a/>", deployed_at=NOW,
    elements=(TaskElement(element_id="a", name="Ask", job_type="procos.task"),),
)  # fmt: skip
DECISION = RoutingDecision(tde="http", stage="rules", confidence=1)
KEPT = KeptDecision(correlation_id="c", job_key=KEY, content_hash="h", decision=DECISION, decided_at=NOW)
EXAMPLE = RoutingExample(text="ask", tde="http", chosen_at=NOW)
LONG = timedelta(seconds=30)


@asynccontextmanager
async def definitions_at(where: str | Path, *, patience: timedelta = LONG) -> AsyncIterator[SqlDefinitionStore]:
    database = open_database(where)
    store = SqlDefinitionStore(database, engine_id="e", patience=patience)
    try:
        yield store
    finally:
        await store.close()
        database.close()


@asynccontextmanager
async def routing_at(where: str | Path, *, patience: timedelta = LONG) -> AsyncIterator[SqlRoutingMemory]:
    database = open_database(where)
    memory = SqlRoutingMemory(database, engine_id="e", patience=patience)
    try:
        yield memory
    finally:
        await memory.close()
        database.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "procos.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, file) -> str | Path:
    return file if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server that this test may stop."""
    with postgres_server() as made:
        yield made


# The schema


async def test_a_database_of_the_step_before_keeps_its_ledger_and_gets_the_tables(place, monkeypatch):
    def upgrade_to_the_first(connection):
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        command.upgrade(config, "0001")

    with monkeypatch.context() as older:
        older.setattr("procos.adapters.state.database.REVISIONS", ("0001",))
        older.setattr("procos.adapters.state.database.upgrade", upgrade_to_the_first)
        database = open_database(place)
    ledger = SqlOutcomeLedger(database, engine_id="e")
    await ledger.record([LedgerEntry(job_key=1, failures=2)])
    await ledger.close()
    database.close()

    async with routing_at(place) as memory:
        await memory.keep(KEPT)
        assert list(await memory.decisions("c")) == [KEPT]
    database = open_database(place)
    ledger = SqlOutcomeLedger(database, engine_id="e")
    assert await ledger.recall([1]) == {1: LedgerEntry(job_key=1, failures=2)}
    await ledger.close()
    database.close()


# What cannot be read


@pytest.mark.parametrize("elements", ["{", "[1]", '[{"name": "a"}]', "[" * 100_000], ids=lambda it: it[:20])
async def test_a_definition_that_cannot_be_read_counts_as_not_there(file, caplog, elements):
    async with definitions_at(file) as store:
        await store.record([DEFINITION, DEFINITION.model_copy(update={"key": KEY + 1})])
        with closing(sqlite3.connect(file)) as other, other:
            other.execute("UPDATE process_definition SET elements = ? WHERE key = ?", (elements, KEY))
        with caplog.at_level(logging.WARNING):
            assert await store.get(KEY) is None
            assert await store.job_types() == {"procos.task"}

    assert caplog.messages[0].startswith(f"what is kept of the process definition 'order' ({KEY}) cannot be read")


async def test_a_definition_with_more_than_we_know_is_read(file):
    async with definitions_at(file) as store:
        await store.record([DEFINITION])
        with closing(sqlite3.connect(file)) as other, other:
            other.execute("""UPDATE process_definition SET elements = '[{"element_id": "a", "colour": "red"}]'""")

        found = await store.get(KEY)
    assert found is not None
    assert found.elements == (TaskElement(element_id="a"),)


@pytest.mark.parametrize(
    "decision",
    [
        "{",
        "[]",
        '{"tde": "http", "stage": "policy", "confidence": 1}',
        '{"tde": "http", "stage": "rules", "confidence": 1, "budget": 3}',
        '{"tde": "http", "stage": "rules"}',
        "[" * 100_000,
    ],
    ids=lambda it: it[:60],
)
async def test_a_decision_that_cannot_be_read_counts_as_not_there(file, caplog, decision):
    async with routing_at(file) as memory:
        await memory.keep(KEPT)
        newer = KEPT.model_copy(update={"job_key": KEY + 1, "decided_at": NOW + timedelta(seconds=1)})
        await memory.keep(newer)
        with closing(sqlite3.connect(file)) as other, other:
            other.execute("UPDATE routing_decision SET decision = ? WHERE job_key = ?", (decision, KEY + 1))
        with caplog.at_level(logging.WARNING):
            assert await memory.find("h") == DECISION
            assert list(await memory.decisions("c")) == [KEPT]

    assert caplog.messages[0].startswith(f"job {KEY + 1} (correlationId c): the routing decision that is kept of it")
    assert "it counts as not there" in caplog.messages[0]


# Locks, servers that go, and servers that say nothing


async def test_reading_waits_for_no_writer_and_writing_waits_its_turn(file):
    async with routing_at(file) as memory, definitions_at(file) as store:
        await memory.keep(KEPT)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await memory.find("h") == DECISION
            assert await store.get(KEY) is None
            writing = asyncio.create_task(memory.add_example(EXAMPLE))
            done, _ = await asyncio.wait([writing], timeout=0.2)
            assert not done
            other.execute("ROLLBACK")
            await writing
        assert list(await memory.examples()) == [EXAMPLE]


async def test_a_lock_that_stays_is_an_error_after_the_patience(file, monkeypatch):
    monkeypatch.setattr("procos.adapters.state.database._BUSY_TIMEOUT_MS", 10)
    async with definitions_at(file, patience=timedelta(milliseconds=50)) as store:
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError) as caught:
                await store.record([DEFINITION])
            other.execute("ROLLBACK")
        assert f"cannot remember process definitions, {file}: another program holds it locked" in caught.value.message
        assert caught.value.hint
        await store.record([DEFINITION])
        assert await store.get(KEY) == DEFINITION


async def test_a_postgresql_that_is_restarted_is_waited_for(server):
    async with routing_at(server.create_database()) as memory:
        await memory.keep(KEPT)
        await asyncio.to_thread(server.stop)
        waiting = asyncio.create_task(memory.find("h"))
        writing = asyncio.create_task(memory.add_example(EXAMPLE))
        done, _ = await asyncio.wait([waiting, writing], timeout=0.2)
        assert not done
        await asyncio.to_thread(server.start)

        assert await waiting == DECISION
        await writing
        assert list(await memory.examples()) == [EXAMPLE]


async def test_a_postgresql_that_stays_away_is_an_error_without_its_password(server):
    async with definitions_at(server.create_database(), patience=timedelta(milliseconds=100)) as store:
        await store.record([DEFINITION])
        await asyncio.to_thread(server.stop)
        with pytest.raises(StoreError, match="no server answers|being stopped"):  # noqa: RUF043 - either
            await store.get(KEY)
        with pytest.raises(StoreError) as caught:
            await store.record([DEFINITION])
        assert PASSWORD not in f"{caught.value.message} {caught.value.hint}"
        await asyncio.to_thread(server.start)

        assert await store.get(KEY) == DEFINITION


async def test_a_postgresql_that_does_not_answer_keeps_nobody_for_ever(postgres):
    url = postgres.create_database()
    async with routing_at(url) as memory:
        await memory.keep(KEPT)
        memory._transactions._thread._limit = 0.1
        with postgres.connect(url.rpartition("/")[2]) as other:
            other.autocommit = False
            other.execute("LOCK TABLE routing_decision")
            with pytest.raises(StoreError, match="the routing memory: no answer within"):
                await memory.find("h")
            other.rollback()
        memory._transactions._thread._limit = 30
        assert await memory.find("h") == DECISION


async def test_a_caller_who_goes_away_leaves_the_memory_to_the_others(file):
    async with routing_at(file) as memory:
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            gone = asyncio.create_task(memory.keep(KEPT))
            await asyncio.sleep(0)
            gone.cancel()
            stays = asyncio.create_task(memory.add_example(EXAMPLE))
            with pytest.raises(asyncio.CancelledError):
                await gone
            other.execute("ROLLBACK")
            await stays
        assert list(await memory.examples()) == [EXAMPLE]


async def test_of_many_at_once_one_that_cannot_be_kept_hinders_no_other(place):
    wrong = KEPT.model_copy(update={"content_hash": "wrong"})
    async with routing_at(place) as memory:
        refuse = "CREATE UNIQUE INDEX refuse ON routing_decision (content_hash) WHERE content_hash = 'wrong'"
        with memory._transactions._database.engine.begin() as connection:
            connection.exec_driver_sql(refuse)
        await memory.keep(wrong)
        memory._add = insert(routing_decision)  # the second is refused now, and not passed over

        several = [KEPT, wrong, KEPT.model_copy(update={"job_key": KEY + 1})]
        first, second, third = await asyncio.gather(*map(memory.keep, several), return_exceptions=True)

        assert isinstance(second, StoreError)
        assert (first, third) == (None, None)
        assert [it.job_key for it in await memory.decisions("c") if it.content_hash == "h"] == [KEY, KEY + 1]


@pytest.mark.parametrize("engine_id", ["", "a\0b"])
@pytest.mark.parametrize("kind", [SqlDefinitionStore, SqlRoutingMemory])
async def test_an_engine_id_that_no_database_keeps_is_refused(file, kind, engine_id):
    database = open_database(file)
    with pytest.raises(StoreError, match="engine id"):
        kind(database, engine_id=engine_id)
    database.close()
