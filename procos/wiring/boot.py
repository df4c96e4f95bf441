"""A kernel and its engine, put together from the settings."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from procos import __version__
from procos.adapters.embedded.broker import EmbeddedEngine
from procos.adapters.embedded.progress import Progress
from procos.adapters.secrets import EnvironmentAndFile
from procos.errors import SettingsError
from procos.kernel import plugins, presence
from procos.kernel.home import Home
from procos.kernel.kernel import Kernel
from procos.model.kernel_state import KernelState
from procos.runtime.execution import Execution
from procos.runtime.inputs import explain
from procos.runtime.pool import WorkerPool
from procos.runtime.worker import Worker
from procos.sdk.registration import Tde
from procos.settings import Settings
from procos.wiring.engines import EngineSession, connect, embedded_engine

STARTED_BY_KERNEL = "kernel"


def boot(
    settings: Settings,
    *,
    progress: Progress | None = None,
    on_change: Callable[[KernelState], None] = lambda _: None,
) -> None:
    """Starts the engine where none is given, then runs the kernel until SIGINT or SIGTERM, then stops both.

    Raises:
        ProcosError: something needed is not there; nothing that was started is left running.
    """
    with running_engine(settings, progress=progress) as state:
        asyncio.run(_until_signal(settings, state, on_change))


@contextlib.contextmanager
def running_engine(settings: Settings, *, progress: Progress | None = None) -> Iterator[KernelState]:
    """Holds the home and, where no gateway is given, its engine: adopted or started, and stopped at the end.

    An engine that an operator started (`procos engine start`) is left running.
    """
    home = Home(settings.home)
    home.prepare()
    with presence.hold(home), _terminable():
        state = presence.announce(home, version=__version__)
        if settings.address:
            yield state.model_copy(update={"embedded": False, "address": settings.address})
            return
        engine = embedded_engine(settings)
        running = engine.start(started_by=STARTED_BY_KERNEL, progress=progress)
        try:
            yield state.model_copy(update={"address": running.address, "engine_version": running.version})
        finally:
            if running.started_by == STARTED_BY_KERNEL:
                engine.stop()


@contextlib.asynccontextmanager
async def prepared_kernel(
    settings: Settings, state: KernelState, on_change: Callable[[KernelState], None]
) -> AsyncIterator[tuple[Kernel, EngineSession]]:
    """A kernel that is connected and ready to `run`."""
    home = Home(settings.home)
    found = plugins.discover()
    check_tables(settings, found)
    async with connect(settings) as session:
        kernel = Kernel(
            engine=session.engine,
            home=home,
            plugins=found,
            workers=worker_pool(settings, session, home),
            state=state,
            drain_grace=settings.drain_grace,
            on_change=on_change,
        )
        yield kernel, session


def worker_pool(settings: Settings, session: EngineSession, home: Home) -> WorkerPool:
    """Workers on `session` for whatever TDEs it is given."""
    secrets = EnvironmentAndFile(settings.secrets_file)
    name = f"procos-{home.kernel_id()}"

    def make_worker(tde: Tde[..., Any]) -> Worker:
        execution = Execution(
            tde=tde, config=tde_config(settings, tde), secrets=secrets, data_folder=home.tde_folder(tde.name)
        )
        return Worker(
            execution=execution, source=session.jobs, name=name, slots=settings.worker_slots, lease=settings.lease
        )

    return WorkerPool(make_worker)


def check_tables(settings: Settings, found: plugins.Plugins) -> None:
    """Checks all [tde.NAME] tables now, and not at the first job.

    Raises:
        SettingsError: a table is wrong, or is for a TDE that is not installed.
    """
    names = [registered.tde.name for registered in found.tdes]
    broken = [plugin.name for plugin in found.broken]
    for name in settings.tde:
        if name not in (*names, *broken):
            raise SettingsError(f"setting [tde.{name}]: there is no such TDE", hint=f"installed are {', '.join(names)}")
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


async def _until_signal(settings: Settings, state: KernelState, on_change: Callable[[KernelState], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with prepared_kernel(settings, state, on_change) as (kernel, _):
        await kernel.run(stop)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Makes SIGTERM raise KeyboardInterrupt, so that an engine that is just being started is cleaned up."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def stop_kernel(settings: Settings, *, longest: timedelta) -> tuple[bool, bool]:
    """Stops the home's kernel, and its engine where the kernel was killed before; says which of the two was running.

    Raises:
        KernelError: the kernel does not end within `longest`.
    """
    kernel_ran = presence.terminate(Home(settings.home), longest=longest)
    engine: EmbeddedEngine = embedded_engine(settings)
    running = engine.status()
    engine_ran = running is not None and running.started_by == STARTED_BY_KERNEL and engine.stop()
    return kernel_ran, engine_ran
