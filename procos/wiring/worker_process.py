"""`procos worker`: TDEs alone in a process, next to any kernel or none."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from procos.errors import UsageError
from procos.kernel.home import Home
from procos.kernel.plugins import Plugins, RegisteredTde, discover
from procos.sdk.registration import Tde
from procos.settings import Settings
from procos.wiring.engines import connect
from procos.wiring.tdes import tdes_in
from procos.wiring.workers import check_tables, registered, workforce


@dataclass(frozen=True)
class Started:
    """What a worker process works on, and where it is monitored."""

    tdes: tuple[Tde[..., Any], ...]
    address: str
    monitoring: str


def chosen_tdes(modules: Sequence[str]) -> tuple[Tde[..., Any], ...]:
    """The TDEs in `modules` (dotted names, or Python files); without any, all that are installed.

    Raises:
        UsageError: a module has none, or two share a name or a job type.
        PluginError: a module cannot be loaded.
    """
    chosen = [tde for module in modules for tde in tdes_in(module)]
    if not modules:
        chosen = [found.tde for found in discover().tdes]
    seen: dict[str, Tde[..., Any]] = {}
    for tde in chosen:
        for word in (tde.name, tde.job_type):
            if seen.setdefault(word, tde) is not tde:
                raise UsageError(f"two of these TDEs are called '{word}'", hint="name only one of their modules")
    return tuple(dict.fromkeys(chosen))


def work(
    settings: Settings, tdes: Sequence[Tde[..., Any]], *, on_start: Callable[[Started], None] = lambda _: None
) -> None:
    """Works until SIGINT or SIGTERM, then drains within the grace of the settings.

    Raises:
        ProcosError: no engine runs in the home and no gateway is set, or a store or a setting cannot be used.
    """
    others = discover()
    mine = tuple(RegisteredTde(tde, "") for tde in tdes)
    names = {tde.name for tde in tdes}
    rest = tuple(found for found in others.tdes if found.tde.name not in names)
    check_tables(settings, Plugins((*mine, *rest), others.broken))
    asyncio.run(_until_signal(settings, tdes, on_start))


async def _until_signal(settings: Settings, tdes: Sequence[Tde[..., Any]], on_start: Callable[[Started], None]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    home = Home(settings.home)
    home.prepare()
    async with (
        connect(settings) as session,
        workforce(settings, session, home) as workers,
        registered(workers.stores, session, tdes),
    ):
        workers.pool.start(tdes)
        on_start(Started(tuple(tdes), session.engine.address, workers.monitoring))
        await stop.wait()
        await workers.pool.drain(settings.drain_grace)
