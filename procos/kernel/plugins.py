"""TDEs enter through the entry point group `procos.tdes`, the bundled ones like everybody's."""

import importlib.metadata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from procos.errors import PluginError
from procos.sdk.registration import Tde

GROUP: Final = "procos.tdes"


@dataclass(frozen=True, slots=True)
class RegisteredTde:
    """A usable TDE and the distribution that brought it."""

    tde: Tde[..., Any]
    distribution: str


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """An entry point that cannot be used, and why."""

    name: str
    distribution: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plugins:
    """Everything found under the entry point group."""

    tdes: tuple[RegisteredTde, ...]
    broken: tuple[BrokenPlugin, ...]


def discover(entry_points: Iterable[importlib.metadata.EntryPoint] | None = None) -> Plugins:
    """Loads every TDE that is installed; one that cannot be loaded is listed, not fatal."""
    found = importlib.metadata.entry_points(group=GROUP) if entry_points is None else entry_points
    tdes: dict[str, RegisteredTde] = {}
    broken: list[BrokenPlugin] = []
    for entry in sorted(found, key=lambda point: point.name):
        distribution = entry.dist.name if entry.dist else "?"
        try:
            tde = _load(entry)
            _refuse_second(tde, tdes)
        except PluginError as error:
            broken.append(BrokenPlugin(entry.name, distribution, str(error)))
        else:
            tdes[tde.name] = RegisteredTde(tde, distribution)
    return Plugins(tuple(tdes.values()), tuple(broken))


def _load(entry: importlib.metadata.EntryPoint) -> Tde[..., Any]:
    try:
        loaded = entry.load()
    except (Exception, SystemExit) as error:
        raise PluginError(f"{entry.value} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(loaded, Tde):
        raise PluginError(f"{entry.value} is {type(loaded).__name__}, not a function decorated with @tde")
    try:
        loaded.manifest()
    except Exception as error:
        raise PluginError(f"{entry.value} cannot be described: {error}") from error
    return loaded


def _refuse_second(tde: Tde[..., Any], tdes: dict[str, RegisteredTde]) -> None:
    for other in tdes.values():
        if other.tde.name == tde.name or other.tde.job_type == tde.job_type:
            raise PluginError(
                f"'{tde.name}' with job type '{tde.job_type}' is there already, brought by {other.distribution}"
            )
