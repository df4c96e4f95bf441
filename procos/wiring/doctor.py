"""Everything that ProcOS needs on this machine, examined part by part."""

import asyncio
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from procos import __version__
from procos.adapters.embedded.distribution import installed
from procos.adapters.embedded.java import find_java
from procos.errors import ProcosError
from procos.kernel import plugins, presence
from procos.kernel.health import Check, HealthChecks
from procos.kernel.home import Home
from procos.settings import Settings
from procos.wiring.engines import connect
from procos.wiring.stores import open_state_database
from procos.wiring.workers import tde_config


@dataclass(frozen=True)
class Finding:
    """What was found of one part; `hint` says how to mend it."""

    part: str
    text: str
    hint: str = ""
    is_well: bool = True


async def examine(settings: Settings) -> list[Finding]:
    """All findings; nothing is started or fetched."""
    return [finding async for finding in _findings(settings)]


async def _findings(settings: Settings) -> AsyncIterator[Finding]:
    yield Finding("python", f"ProcOS {__version__} on Python {sys.version.split()[0]}")
    home = Home(settings.home)
    try:
        home.prepare()
    except ProcosError as error:
        yield _wrong("home", error)
        return
    yield _secrets_file(settings)
    yield await asyncio.to_thread(_database, settings, home)
    if not settings.address:
        yield _java(settings)
        yield _distribution(settings)
    found = plugins.discover()
    for finding in _tdes(settings, found):
        yield finding
    yield _kernel(home)
    try:
        async with connect(settings) as session:
            checks = HealthChecks(engine=session.engine, home=home, plugins=found, embedded=not settings.address)
            for name, check in checks.by_name().items():
                yield await _checked(name, check)
    except ProcosError as error:
        yield _wrong("engine", error)


def _tdes(settings: Settings, found: plugins.Plugins) -> Iterator[Finding]:
    for broken in found.broken:
        yield _bad(f"tde {broken.name}", broken.reason, f"update or remove the package {broken.distribution}")
    for registered in found.tdes:
        try:
            tde_config(settings, registered.tde)
        except ProcosError as error:
            yield _wrong(f"tde {registered.tde.name}", error)


async def _checked(name: str, check: Check) -> Finding:
    try:
        return Finding(name, await check())
    except ProcosError as error:
        return _wrong(name, error)


def _java(settings: Settings) -> Finding:
    try:
        return Finding("java", str(find_java(settings.java_home)))
    except ProcosError as error:
        return _wrong("java", error)


def _distribution(settings: Settings) -> Finding:
    folder = settings.engine_home or installed(settings.engine_version, cache=settings.cache)
    if folder is None:
        return Finding("distribution", f"Zeebe {settings.engine_version} is fetched at the first boot")
    return Finding("distribution", str(folder))


def _kernel(home: Home) -> Finding:
    state = presence.read(home)
    if state is None:
        return Finding("kernel", "none runs; `procos boot` starts one")
    problems = "; ".join(problem.what for problem in state.problems)
    text = f"process {state.pid}, {state.phase}"
    return Finding("kernel", text) if state.phase == "ready" else _bad("kernel", text, problems)


def _secrets_file(settings: Settings) -> Finding:
    file = settings.secrets_file
    if file is None:
        return Finding("secrets", "from PROCOS_SECRET_* variables only")
    try:
        mode = file.stat().st_mode
    except OSError as error:
        return _bad("secrets", f"{file} cannot be read: {error.strerror}", "mend the setting secrets_file")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return _bad("secrets", f"{file} can be read by others", f"chmod 600 {file}")
    return Finding("secrets", str(file))


def _database(settings: Settings, home: Home) -> Finding:
    part = "state database"
    if settings.database_url is None and not home.database_file.exists():
        return Finding(part, f"{home.database_file} is made at the first boot")
    try:
        database = open_state_database(settings, home)
    except ProcosError as error:
        return _wrong(part, error)
    database.close()
    return Finding(part, database.address.shown)


def _wrong(part: str, error: ProcosError) -> Finding:
    return _bad(part, error.message, error.hint or "")


def _bad(part: str, text: str, hint: str) -> Finding:
    return Finding(part, text, hint, is_well=False)
