"""A kernel and its engine, put together from the settings."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from procos import __version__
from procos.adapters.embedded.broker import EmbeddedEngine
from procos.adapters.embedded.progress import Progress
from procos.kernel import plugins, presence
from procos.kernel.home import Home
from procos.kernel.kernel import Kernel
from procos.model.kernel_state import KernelState
from procos.settings import Settings
from procos.wiring.engines import EngineSession, connect, embedded_engine
from procos.wiring.heartbeat import heartbeat_of, tde_processes
from procos.wiring.workers import check_tables, workforce

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
    with running_engine(settings, progress=progress) as ground:
        asyncio.run(_until_signal(settings, ground, on_change))


@dataclass(frozen=True)
class Ground:
    """What a kernel stands on: its first state, the TDEs found, and how to start its embedded engine again."""

    state: KernelState
    plugins: plugins.Plugins
    revive_engine: Callable[[], None] | None


@contextlib.contextmanager
def running_engine(settings: Settings, *, progress: Progress | None = None) -> Iterator[Ground]:
    """Holds the home and, where no gateway is given, its engine: adopted or started, and stopped at the end.

    An engine that an operator started (`procos engine start`) is left running.
    """
    home = Home(settings.home)
    home.prepare()
    with presence.hold(home), _terminable():
        state = presence.announce(home, version=__version__)
        found = plugins.discover()
        check_tables(settings, found)
        if settings.address:
            yield Ground(state.model_copy(update={"embedded": False, "address": settings.address}), found, None)
            return
        engine = embedded_engine(settings)
        running = engine.start(started_by=STARTED_BY_KERNEL, progress=progress)
        state = state.model_copy(update={"address": running.address, "engine_version": running.version})
        # Started again, it has to come back where this kernel and all others look for it.
        again = embedded_engine(settings.model_copy(update={"engine_port": int(running.address.rpartition(":")[2])}))
        try:
            yield Ground(state, found, lambda: _start_again(again))
        finally:
            _stop_own(engine)


@contextlib.asynccontextmanager
async def prepared_kernel(
    settings: Settings, ground: Ground, on_change: Callable[[KernelState], None]
) -> AsyncIterator[tuple[Kernel, EngineSession]]:
    """A kernel that is connected and ready to `run`."""
    home = Home(settings.home)
    async with (
        connect(settings) as session,
        workforce(settings, session, home) as workers,
        heartbeat_of(settings, session, home, ground.plugins, stores=workers.stores) as heartbeat,
    ):
        kernel = Kernel(
            engine=session.engine,
            home=home,
            plugins=ground.plugins,
            workers=workers.pool,
            heartbeat=heartbeat,
            tde_processes=tde_processes(ground.plugins),
            state=ground.state.model_copy(update={"monitoring": workers.monitoring}),
            revive_engine=ground.revive_engine,
            drain_grace=settings.drain_grace,
            on_change=on_change,
        )
        yield kernel, session


def _start_again(engine: EmbeddedEngine) -> None:
    """Starts the engine where its process is gone; one that lives, and is only slow to answer, is left alone."""
    if engine.status() is None:
        engine.start(started_by=STARTED_BY_KERNEL)


async def _until_signal(settings: Settings, ground: Ground, on_change: Callable[[KernelState], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with prepared_kernel(settings, ground, on_change) as (kernel, _):
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
    return kernel_ran, _stop_own(embedded_engine(settings))


def _stop_own(engine: EmbeddedEngine) -> bool:
    """Stops the engine where a kernel started it, and not an operator; says whether it did."""
    running = engine.status()
    return running is not None and running.started_by == STARTED_BY_KERNEL and engine.stop()
