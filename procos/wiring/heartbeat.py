"""A kernel's part in the heartbeat, put together from the settings, the stores and the TDEs."""

import contextlib
import logging
from collections.abc import AsyncIterator

from procos.authoring.tde_process import process_id, tde_process
from procos.errors import StoreError
from procos.kernel.heartbeat.hand_over import HandOver
from procos.kernel.heartbeat.heartbeat import Heartbeat
from procos.kernel.heartbeat.intake import Intake
from procos.kernel.heartbeat.options import TASK_TYPE, HeartbeatOptions
from procos.kernel.heartbeat.parent import Parents
from procos.kernel.heartbeat.pdo import Pdo
from procos.kernel.heartbeat.scan import Scanner
from procos.kernel.heartbeat.sightings import Sightings
from procos.kernel.heartbeat.tagging import Tagger
from procos.kernel.heartbeat.tally import Tally
from procos.kernel.heartbeat.task_run import TaskRuns
from procos.kernel.home import Home
from procos.kernel.plugins import Plugins
from procos.model.deployment import Resource
from procos.runtime.backoff import Backoff
from procos.runtime.pool import with_undo
from procos.settings import Settings
from procos.wiring.engines import EngineSession
from procos.wiring.routing import catalogue_of, router_of
from procos.wiring.stores import Stores, tidy
from procos.wiring.workers import registered

_log = logging.getLogger(__name__)


def tde_processes(plugins: Plugins) -> list[Resource]:
    """The processes through which the heartbeat calls the TDEs."""
    manifests = [found.tde.manifest(distribution=found.distribution) for found in plugins.tdes]
    return [Resource(f"{process_id(it.name)}.bpmn", tde_process(it).encode()) for it in manifests]


@contextlib.asynccontextmanager
async def heartbeat_of(
    settings: Settings,
    session: EngineSession,
    home: Home,
    plugins: Plugins,
    *,
    stores: Stores,
) -> AsyncIterator[Heartbeat]:
    """The heartbeat's part of the kernel in `home`, for as long as the context lasts."""
    from procos.adapters.state.definition_store import SqlDefinitionStore  # noqa: PLC0415 - SQLAlchemy is slow
    from procos.adapters.state.routing_memory import SqlRoutingMemory  # noqa: PLC0415 - the same

    definitions = SqlDefinitionStore(stores.database, engine_id=session.engine_id)
    memory = SqlRoutingMemory(stores.database, engine_id=session.engine_id)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(definitions.close)
        stack.push_async_callback(memory.close)
        await tidy("routing decisions", memory.prune)
        catalogue = catalogue_of(plugins.tdes)
        router = router_of(settings, lambda: catalogue, tables=session.engine, memory=memory)
        entries = {entry.name: entry for entry in catalogue.entries}
        undo = {found.tde.name: found.tde.undo.job_type for found in plugins.tdes if found.tde.undo}
        options, tally, worker = _options(settings), Tally(), f"procos-pdo-{home.kernel_id()}"
        hand_over = HandOver(
            engine=session.engine, jobs=session.jobs, tagger=Tagger(definitions),
            shrink=stores.large_variables.made_small, options=options,
        )  # fmt: skip
        tdes = [found.tde for found in plugins.tdes]
        register = await stack.enter_async_context(registered(stores, session, tdes))
        own = frozenset(tde.job_type for tde in with_undo(tdes))

        async def taken() -> frozenset[str]:
            """Its own types count also where this kernel could not announce them."""
            return own | await register.job_types()

        scanner = Scanner(
            jobs=session.jobs, definitions=definitions, hand_over=hand_over,
            sightings=Sightings(jobs=session.jobs, worker=worker, options=options),
            registered=taken, worker=worker, options=options,
        )  # fmt: skip
        pdo = Pdo(engine=session.engine, scanner=scanner, options=options, tally=tally)
        runs = TaskRuns(
            engine=session.engine, parents=Parents(jobs=session.jobs, options=options), router=router,
            entry_of=entries.get, undo_of=undo.get, tally=tally,
        )  # fmt: skip
        intake = Intake(
            jobs=session.jobs, hand_over=hand_over, worker=worker, options=options,
            waiting=Backoff("the intake of unclaimed tasks"), on_arrival=pdo.arrived,
        )  # fmt: skip

        async def prepare() -> None:
            """The search takes 70 MB: only where tasks with nothing but a name have been deployed."""
            try:
                is_needed = TASK_TYPE in await definitions.job_types()
            except StoreError as error:
                _log.warning("the router is prepared by its first task: %s", error)
            else:
                if is_needed:
                    await router.prepare()

        yield Heartbeat(pdo, runs, intake, prepare)


def _options(settings: Settings) -> HeartbeatOptions:
    return HeartbeatOptions(
        longest_pause=settings.heartbeat_longest_pause,
        task_lease=settings.task_lease,
        grace=settings.unclaimed_grace,
        include=tuple(settings.unclaimed_include),
        exclude=tuple(settings.unclaimed_exclude),
    )
