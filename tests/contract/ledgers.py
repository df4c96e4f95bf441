"""The outcome ledgers that the contract holds for, each made fresh."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from procos.adapters.state.database import open_database
from procos.adapters.state.outcome_ledger import SqlOutcomeLedger
from procos.ports.ledger import OutcomeLedger
from procos.testing.memory_ledger import MemoryOutcomeLedger

ENGINE = "engine-1"
KINDS = ("memory", "sqlite", "sqlite in a thread", "postgresql")


@asynccontextmanager
async def sql_ledger(
    where: str | Path, *, engine_id: str = ENGINE, always_in_thread: bool = False
) -> AsyncIterator[SqlOutcomeLedger]:
    """A ledger on a database of its own, both closed at the end."""
    database = open_database(where)
    ledger = SqlOutcomeLedger(database, engine_id=engine_id)
    if always_in_thread:
        ledger._at_once = None
    try:
        yield ledger
    finally:
        await ledger.close()
        database.close()


def place_of(kind: str, request: pytest.FixtureRequest) -> str | Path:
    """Where a fresh database of that kind is; a server is started for those that need one."""
    if kind == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    folder: Path = request.getfixturevalue("tmp_path")
    return folder / "procos.db"


@asynccontextmanager
async def ledger_of(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[OutcomeLedger]:
    if kind == "memory":
        yield MemoryOutcomeLedger()
        return
    async with sql_ledger(place_of(kind, request), always_in_thread=kind == "sqlite in a thread") as ledger:
        yield ledger
