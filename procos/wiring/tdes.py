"""TDEs by name or straight from their author's file, and one of them run without an engine."""

import asyncio
import contextlib
import difflib
import importlib
import importlib.metadata
import importlib.util
import re
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from procos.errors import PluginError, UsageError
from procos.kernel.home import Home
from procos.kernel.plugins import Plugins, RegisteredTde, discover
from procos.model.job import Job, Outcome
from procos.runtime.attempt import USUAL_RETRIES
from procos.sdk.registration import Tde
from procos.settings import Settings
from procos.wiring.workers import execution_of


def find_tde(target: str, plugins: Plugins | None = None) -> RegisteredTde:
    """The TDE of that name; or the one in `module:attribute`, `FILE.py` or `FILE.py:attribute`, installed or not.

    Raises:
        UsageError: there is none, or several; the hint names those that are meant most likely.
        PluginError: its package or file cannot be loaded.
    """
    place, _, attribute = target.partition(":")
    if place.endswith(".py") or attribute:
        return RegisteredTde(_pick(_load(place), attribute, place), "")
    found = discover() if plugins is None else plugins
    for registered in found.tdes:
        if registered.tde.name == target:
            return registered
    for broken in found.broken:
        if broken.name == target:
            raise PluginError(f"the TDE '{target}' of {broken.distribution} cannot be used: {broken.reason}")
    names = [registered.tde.name for registered in found.tdes]
    near = difflib.get_close_matches(target, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"installed are {', '.join(names) or 'none'}"
    raise UsageError(f"there is no TDE '{target}'", hint=hint)


def tdes_in(target: str) -> list[Tde[..., Any]]:
    """All TDEs in a module, or in a file; one of them as `module:attribute`.

    Raises:
        UsageError: there is none.
        PluginError: it cannot be loaded.
    """
    place, _, attribute = target.partition(":")
    there = _load(place)
    return list(dict.fromkeys([_pick(there, attribute, place)] if attribute else there.values()))


def version_number(distribution: str) -> int:
    """A package's version as one number that grows with it, for element templates: 1.4.2 is 1004002."""
    try:
        version = importlib.metadata.version(distribution) if distribution else ""
    except importlib.metadata.PackageNotFoundError:
        version = ""
    parts = [int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3]]
    major, minor, patch = [*parts, 0, 0, 0][:3]
    return max(1, major * 1_000_000 + minor * 1_000 + patch)


def run_alone(
    tde: Tde[..., Any], settings: Settings, *, variables: Mapping[str, Any], headers: Mapping[str, str]
) -> Outcome:
    """Runs one job through the TDE in this process, as a worker would, and says how it ended.

    Raises:
        SettingsError: the TDE's own settings are wrong.
    """
    # Nothing asks an engine for these keys; they only have to differ from run to run.
    key = time.time_ns() // 1_000
    job = Job(
        key=key,
        type=tde.job_type,
        process_instance_key=key,
        process_definition_id="procos-tde-run",
        process_definition_key=key,
        process_definition_version=1,
        element_id="run",
        element_instance_key=key,
        # Where nobody keeps count, an attempt is the first one if these are left.
        retries=USUAL_RETRIES,
        deadline=datetime.now(UTC) + tde.time_limit,
        variables=variables,
        custom_headers=headers,
    )
    return asyncio.run(execution_of(tde, settings, Home(settings.home)).run(job))


def _load(place: str) -> dict[str, Tde[..., Any]]:
    """The TDEs of a module or file by the names that they have there; there is one at least."""
    module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    there = {name: value for name, value in vars(module).items() if isinstance(value, Tde)}
    if not there:
        raise UsageError(f"{place} holds no TDE", hint="decorate a function with @tde of procos.sdk")
    return there


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Before it runs: dataclasses, pydantic and processes of their own look a module up by its name.
    sys.modules[path.stem] = module
    with _loading(path, path.parent.resolve()):
        spec.loader.exec_module(module)
    return module


def _load_module(name: str) -> ModuleType:
    with _loading(name, Path.cwd()):
        return importlib.import_module(name)


@contextlib.contextmanager
def _loading(what: object, folder: Path) -> Iterator[None]:
    """Makes what lies in `folder` importable, for good: a TDE may import more when it runs."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        yield
    except PluginError as error:
        raise PluginError(f"{what}: {error.message}", hint=error.hint) from error
    except (Exception, SystemExit) as error:
        raise PluginError(f"{what} cannot be loaded: {type(error).__name__}: {error}") from error


def _pick(there: Mapping[str, Tde[..., Any]], attribute: str, place: str) -> Tde[..., Any]:
    listed = ", ".join(f"{place}:{name}" for name in there)
    if attribute:
        if attribute not in there:
            raise UsageError(f"{place} has no TDE '{attribute}'", hint=f"there are {listed}")
        return there[attribute]
    if len({id(value) for value in there.values()}) != 1:
        raise UsageError(f"{place} holds {len(there)} TDEs", hint=f"name one: {listed}")
    return next(iter(there.values()))
