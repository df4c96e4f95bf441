"""Worker processes that say that they live."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from procos.adapters.state.database import open_database
from procos.adapters.state.worker_register import SqlWorkerRegister
from procos.ports.worker_register import ALIVE_FOR
from procos.runtime import announcing
from procos.runtime.announcing import announced

pytestmark = pytest.mark.anyio


@pytest.fixture
async def register(tmp_path: Path):
    database = open_database(tmp_path / "state.db")
    register = SqlWorkerRegister(database, engine_id="engine")
    yield register
    await register.close()
    database.close()


async def forget_all(register: SqlWorkerRegister) -> None:
    """As if all had been silent for too long."""
    register._now = lambda: datetime.now(UTC) + 2 * ALIVE_FOR
    await register.announce("a later one", [])
    register._now = lambda: datetime.now(UTC)
    assert await register.job_types() == frozenset()


async def test_workers_are_announced_for_as_long_as_the_context_lasts(register):
    async with announced(register, ["one"]), announced(register, ["two"]):
        assert await register.job_types() == {"one", "two"}

    assert await register.job_types() == frozenset()


async def test_they_are_announced_again_before_they_count_as_gone(register, monkeypatch):
    monkeypatch.setattr(announcing, "ANNOUNCE_EVERY_S", 0.05)
    async with announced(register, ["one"]):
        await forget_all(register)
        for _ in range(1_000):
            await anyio.sleep(0.01)
            if await register.job_types() == {"one"}:
                break
        else:
            pytest.fail("they were never announced again")


async def test_a_register_that_is_away_stops_no_worker(register, caplog):
    await register.close()
    with caplog.at_level(logging.WARNING):
        async with announced(register, ["one"]):
            pass

    assert "kernels may take these workers for gone" in caplog.text
    assert "count as alive for 60 s more" in caplog.text
