"""What every WorkerRegister does: SQLite, and a real PostgreSQL."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from procos.adapters.state.database import open_database
from procos.adapters.state.worker_register import SqlWorkerRegister
from procos.errors import StoreError
from procos.ports.worker_register import ALIVE_FOR, WorkerRegister
from tests.contract.ledgers import ENGINE, place_of
from tests.contract.memories import STRANGE
from tests.servers.postgres import postgres_fixture, postgres_url_fixture  # noqa: F401 - fixtures, used by name

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)


class Clock:
    """Stands still unless it is set."""

    now = datetime(2026, 11, 22, 17, 0, 0, 123456, tzinfo=UTC)


@asynccontextmanager
async def sql_register(where: str | Path, clock: Clock, *, engine_id: str = ENGINE) -> AsyncIterator[WorkerRegister]:
    """A register on a connection of its own, both closed at the end."""
    database = open_database(where)
    register = SqlWorkerRegister(database, engine_id=engine_id, now=lambda: clock.now)
    try:
        yield register
    finally:
        await register.close()
        database.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> str | Path:
    return place_of(request.param, request)


@pytest.fixture
async def register(place: str | Path, clock: Clock) -> AsyncIterator[WorkerRegister]:
    async with sql_register(place, clock) as made:
        yield made


async def test_without_workers_no_type_is_taken(register):
    assert await register.job_types() == frozenset()


async def test_the_types_of_all_living_workers_are_taken(register):
    await register.announce("a", ["one", "two"])
    await register.announce("b", {"two", STRANGE})
    await register.announce("c", [])

    assert await register.job_types() == {"one", "two", STRANGE}


async def test_a_worker_that_announces_itself_again_takes_what_it_says_now(register):
    await register.announce("a", ["one"])
    await register.announce("a", ["two"])

    assert await register.job_types() == {"two"}


async def test_a_worker_that_is_silent_for_too_long_is_gone(register, clock):
    await register.announce("silent", ["one"])
    clock.now += ALIVE_FOR - SECOND
    await register.announce("heard", ["two"])
    assert await register.job_types() == {"one", "two"}
    clock.now += SECOND

    assert await register.job_types() == {"two"}


async def test_who_was_gone_and_comes_back_is_there(register, clock):
    await register.announce("a", ["one"])
    clock.now += 2 * ALIVE_FOR
    await register.announce("b", ["two"])
    await register.announce("a", ["one"])

    assert await register.job_types() == {"one", "two"}


async def test_a_worker_that_withdraws_is_gone_at_once_and_no_other(register):
    await register.announce("a", ["one"])
    await register.announce("b", ["one", "two"])
    await register.withdraw("b")
    await register.withdraw("never seen")

    assert await register.job_types() == {"one"}


async def test_engines_know_nothing_of_each_other(place, clock):
    async with sql_register(place, clock, engine_id="one") as one, sql_register(place, clock, engine_id="two") as two:
        await one.announce("a", ["one"])
        await two.announce("a", ["two"])
        await two.withdraw("b")

        assert await one.job_types() == {"one"}
        assert await two.job_types() == {"two"}


async def test_what_one_process_announces_others_see(place, clock):
    async with sql_register(place, clock) as one, sql_register(place, clock) as other:
        await one.announce("a", ["one"])

        assert await other.job_types() == {"one"}


async def test_a_closed_register_refuses_everything(register):
    await register.close()
    for refused in (register.announce("a", ["one"]), register.withdraw("a"), register.job_types()):
        with pytest.raises(StoreError):
            await refused


@pytest.mark.parametrize("nonsense", ["", "5", '["a", 1]', "[" * 5_000], ids=["empty", "number", "mixed", "deep"])
async def test_what_cannot_be_read_hides_no_other_worker(tmp_path, clock, caplog, nonsense):
    async with sql_register(tmp_path / "state.db", clock) as register:
        await register.announce("odd", ["one"])
        await register.announce("b", ["two"])
        with sqlite3.connect(tmp_path / "state.db") as connection:
            connection.execute("UPDATE registered_worker SET job_types = ? WHERE worker = 'odd'", [nonsense])
        connection.close()

        assert await register.job_types() == {"two"}
    assert "'odd'" in caplog.text
