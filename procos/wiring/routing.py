"""The task router, put together from the settings and the TDEs that are there."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from procos.authoring.catalogue_entry import catalogue_entry
from procos.errors import EngineUnavailable, ProcosError
from procos.kernel.home import Home
from procos.kernel.plugins import RegisteredTde, discover
from procos.model.routing import KeptDecision, RoutingDecision, RoutingExample
from procos.model.task import Task
from procos.ports.decision_tables import DecisionTables
from procos.ports.routing_memory import RoutingMemory
from procos.ports.task_chooser import TaskChooser
from procos.routing.catalogue import Catalogue, RoutableTde
from procos.routing.guard import may_use_any_secret
from procos.routing.options import RouterOptions
from procos.routing.router import StagedRouter
from procos.settings import Settings

_NO_ID: Final = "Activity_0000000"
"""An element id as Modeler makes them: it says nothing about a task."""
_NO_ENGINE: Final = "procos-route"

_log = logging.getLogger(__name__)


def catalogue_of(tdes: Iterable[RegisteredTde]) -> Catalogue:
    """The TDEs as the router knows them."""
    manifests = [it.tde.manifest(distribution=it.distribution) for it in tdes]
    return Catalogue(
        RoutableTde(catalogue_entry(it), it.input_schema, is_guarded=may_use_any_secret(it.secrets)) for it in manifests
    )


def router_of(
    settings: Settings,
    catalogue: Callable[[], Catalogue],
    *,
    tables: DecisionTables | None = None,
    memory: RoutingMemory | None = None,
) -> StagedRouter:
    """The router of the settings; `catalogue` gives the same object as long as the same TDEs are registered."""
    from procos.adapters.catalogue_search.search import FusedCatalogueSearch  # noqa: PLC0415 - read where it is used

    return StagedRouter(
        catalogue,
        FusedCatalogueSearch(),
        tables=tables,
        chooser=_chooser(settings),
        memory=memory,
        options=RouterOptions(threshold=settings.routing_threshold),
    )


async def route_once(
    settings: Settings, text: str, *, variables: Mapping[str, Any], headers: Mapping[str, str]
) -> RoutingDecision:
    """What the router makes of a task in words, by the TDEs that are installed here; nothing is kept.

    The rules of an engine are asked if one runs, and people's answers are read if there is a state database.
    """
    catalogue = catalogue_of(discover().tdes)
    task = Task(
        job_key=0,
        job_type="procos.task",
        correlation_id="procos-route",
        process_instance_key=0,
        process_definition_id="procos-route",
        process_definition_key=0,
        process_definition_version=1,
        element_id=_NO_ID,
        element_instance_key=0,
        name=text,
        headers=headers,
        inputs=variables,
    )
    async with _tables(settings) as tables, _answers(settings) as memory:
        return await router_of(settings, lambda: catalogue, tables=tables, memory=memory).route(task)


def _chooser(settings: Settings) -> TaskChooser | None:
    if settings.chat_model is None:
        return None
    from procos.adapters.langchain.task_chooser import LangChainTaskChooser  # noqa: PLC0415 - an extra

    return LangChainTaskChooser(settings.chat_model)


@contextlib.asynccontextmanager
async def _tables(settings: Settings) -> AsyncIterator[DecisionTables | None]:
    """The engine whose rules count, None where none runs."""
    from procos.wiring.engines import connect  # noqa: PLC0415 - gRPC is slow to import

    async with contextlib.AsyncExitStack() as stack:
        session = None
        with contextlib.suppress(EngineUnavailable):
            session = await stack.enter_async_context(connect(settings))
        yield session.engine if session else None


@contextlib.asynccontextmanager
async def _answers(settings: Settings) -> AsyncIterator[RoutingMemory | None]:
    """People's answers, where there is a database that may hold some; none is made for a look."""
    home = Home(settings.home)
    if settings.database_url is None and not home.database_file.exists():
        yield None
        return
    from procos.adapters.state.routing_memory import SqlRoutingMemory  # noqa: PLC0415 - SQLAlchemy is slow to import
    from procos.wiring.stores import open_state_database  # noqa: PLC0415 - the same

    async with contextlib.AsyncExitStack() as stack:
        answers: _AnswersOnly | None = None
        try:
            database = await asyncio.to_thread(open_state_database, settings, home)
        except ProcosError as error:
            _log.warning("people's answers are not read: %s", error.message)
        else:
            stack.callback(database.close)
            answers = _AnswersOnly(SqlRoutingMemory(database, engine_id=_NO_ENGINE))
            stack.push_async_callback(answers.close)
        yield answers


class _AnswersOnly:
    """A memory that is read: a look at what would be decided leaves no trace, and is no repetition of another."""

    def __init__(self, memory: RoutingMemory) -> None:
        self._memory = memory

    async def keep(self, decision: KeptDecision) -> None:
        """Does not."""

    async def find(self, content_hash: str) -> RoutingDecision | None:  # noqa: ARG002
        """Nothing."""
        return None

    async def decisions(self, correlation_id: str) -> Sequence[KeptDecision]:
        """All decisions under one correlation id, oldest first."""
        return await self._memory.decisions(correlation_id)

    async def add_example(self, example: RoutingExample) -> None:
        """Does not."""

    async def examples(self) -> Sequence[RoutingExample]:
        """All examples, oldest first."""
        return await self._memory.examples()

    async def prune(self, older_than: timedelta) -> int:  # noqa: ARG002
        """Removes nothing."""
        return 0

    async def close(self) -> None:
        """Lets go of the database."""
        await self._memory.close()
