"""The definition stores and routing memories that the contracts hold for, each made fresh."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from procos.adapters.state.database import open_database
from procos.adapters.state.definition_store import SqlDefinitionStore
from procos.adapters.state.routing_memory import SqlRoutingMemory
from procos.ports.definitions import DefinitionStore
from procos.ports.routing_memory import RoutingMemory
from procos.testing.memory_definitions import MemoryDefinitions
from procos.testing.memory_routing import MemoryRouting
from tests.contract.ledgers import ENGINE, place_of

KINDS = ("memory", "sqlite", "postgresql")
STRANGE = "ä€😀 \ud800 \x00 \u2028 \"'\\ ␛0041 %s :name {} 問い合わせ עברית"
"""Half a surrogate pair, NUL, and what SQL, JSON or our own escapes might take for theirs."""


@asynccontextmanager
async def sql_definitions(where: str | Path, *, engine_id: str = ENGINE) -> AsyncIterator[SqlDefinitionStore]:
    """A store on a database of its own, both closed at the end."""
    database = open_database(where)
    store = SqlDefinitionStore(database, engine_id=engine_id)
    try:
        yield store
    finally:
        await store.close()
        database.close()


@asynccontextmanager
async def sql_routing(where: str | Path, *, engine_id: str = ENGINE) -> AsyncIterator[SqlRoutingMemory]:
    """A memory on a database of its own, both closed at the end."""
    database = open_database(where)
    memory = SqlRoutingMemory(database, engine_id=engine_id)
    try:
        yield memory
    finally:
        await memory.close()
        database.close()


@asynccontextmanager
async def definitions_of(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[DefinitionStore]:
    if kind == "memory":
        yield MemoryDefinitions()
        return
    async with sql_definitions(place_of(kind, request)) as store:
        yield store


@asynccontextmanager
async def routing_of(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[RoutingMemory]:
    if kind == "memory":
        yield MemoryRouting()
        return
    async with sql_routing(place_of(kind, request)) as memory:
        yield memory
