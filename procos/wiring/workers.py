"""Workers put together from the settings: their TDEs' own tables, secrets, stores, and what tells of their health."""

import asyncio
import contextlib
import gc
import os
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pydantic import ValidationError

from procos import __version__
from procos.adapters.monitoring import MonitoringServer
from procos.adapters.otlp import sending_spans
from procos.adapters.secrets import EnvironmentAndFile
from procos.errors import SettingsError
from procos.kernel.home import Home
from procos.kernel.plugins import Plugins
from procos.ports.worker_register import WorkerRegister
from procos.runtime.announcing import announced
from procos.runtime.execution import Execution
from procos.runtime.health import ProcessHealth
from procos.runtime.inputs import explain
from procos.runtime.large_variables import LargeVariables
from procos.runtime.pool import WorkerPool, with_undo
from procos.runtime.worker import Worker
from procos.sdk.registration import Tde
from procos.settings import Settings
from procos.wiring.engines import EngineSession
from procos.wiring.stores import Stores, open_stores

_OBJECTS_BEFORE_A_COLLECTION: Final = 10_000


@dataclass(frozen=True)
class Workforce:
    """A process's workers, and the address where it is monitored."""

    pool: WorkerPool
    monitoring: str
    stores: Stores


@contextlib.asynccontextmanager
async def workforce(settings: Settings, session: EngineSession, home: Home) -> AsyncIterator[Workforce]:
    """A pool without workers yet, its stores open and its health served.

    Raises:
        SettingsError: the monitoring port is taken.
        StoreError: the state database cannot be used.
    """
    async with open_stores(settings, home, session.engine_id) as stores:
        pool = worker_pool(settings, session, home, stores)
        health = ProcessHealth(pool.troubles)
        server = MonitoringServer(health, host=settings.monitoring_host, port=settings.monitoring_port)
        beating = asyncio.create_task(health.beat())
        try:
            with server, sending_spans(settings.otlp_endpoint, version=__version__):
                _spare_the_collector()
                yield Workforce(pool, server.address, stores)
        finally:
            beating.cancel()


@contextlib.asynccontextmanager
async def registered(
    stores: Stores, session: EngineSession, tdes: Iterable[Tde[..., Any]]
) -> AsyncIterator[WorkerRegister]:
    """The register of the engine's workers; those of `tdes` are announced in it for as long as the context lasts."""
    from procos.adapters.state.worker_register import SqlWorkerRegister  # noqa: PLC0415 - SQLAlchemy is slow

    register = SqlWorkerRegister(stores.database, engine_id=session.engine_id)
    try:
        async with announced(register, [tde.job_type for tde in with_undo(tdes)]):
            yield register
    finally:
        await register.close()


def worker_pool(settings: Settings, session: EngineSession, home: Home, stores: Stores) -> WorkerPool:
    """Workers on `session` for whatever TDEs it is given."""
    name = f"procos-{home.kernel_id()}"

    def make_worker(tde: Tde[..., Any], lease: timedelta | None) -> Worker:
        return Worker(
            execution=execution_of(tde, settings, home, large_variables=stores.large_variables),
            source=session.jobs,
            name=name,
            slots=_slots(settings, tde),
            lease=lease or settings.lease,
            streams=settings.job_streams,
            journal=stores.journal,
        )

    return WorkerPool(make_worker)


def execution_of(
    tde: Tde[..., Any], settings: Settings, home: Home, *, large_variables: LargeVariables | None = None
) -> Execution:
    """The TDE with what the settings give it: its own table, its secrets, its folder.

    Raises:
        SettingsError: the TDE's own settings are wrong.
    """
    return Execution(
        tde=tde,
        config=tde_config(settings, tde),
        secrets=EnvironmentAndFile(settings.secrets_file),
        data_folder=home.tde_folder(tde.name),
        granted_secrets=tuple(settings.secrets_granted.get(tde.name, ("*",))),
        large_variables=large_variables,
    )


def check_tables(settings: Settings, found: Plugins) -> None:
    """Checks all [tde.NAME] tables now, and not at the first job.

    Raises:
        SettingsError: a table is wrong, or is for a TDE that is not installed.
    """
    names = [registered.tde.name for registered in found.tdes]
    known = (*names, *(plugin.name for plugin in found.broken))
    for setting, tables in (("tde", settings.tde), ("secrets_granted", settings.secrets_granted)):
        for name in tables:
            if name not in known:
                where = f"[{setting}.{name}]" if setting == "tde" else f"{setting}, {name}"
                raise SettingsError(f"setting {where}: there is no such TDE", hint=f"installed are {', '.join(names)}")
    for registered in found.tdes:
        tde_config(settings, registered.tde)


def tde_config(settings: Settings, tde: Tde[..., Any]) -> Any:  # noqa: ANN401 - the TDE's own model
    """The TDE's table of the settings, checked by its model.

    Raises:
        SettingsError: names the table, the field and what is expected.
    """
    try:
        return tde.config_model.model_validate(settings.tde.get(tde.name, {}))
    except ValidationError as error:
        problems = explain(error, tde.config_model, noun=f"setting [tde.{tde.name}]")
        fields = ", ".join(tde.config_model.model_fields) or "no settings"
        raise SettingsError(problems, hint=f"[tde.{tde.name}] takes {fields}") from None


def _slots(settings: Settings, tde: Tde[..., Any]) -> int:
    """More processes than processors would only wait for each other."""
    return min(settings.worker_slots, os.cpu_count() or 1) if tde.cpu_bound else settings.worker_slots


def _spare_the_collector() -> None:
    """What is loaded by now stays: looking through all of it again and again cost a tenth of a job's processor time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BEFORE_A_COLLECTION)
