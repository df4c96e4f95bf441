"""Step 'Read the policy': what the company permits, from a TOML file, checked as a whole before it is applied."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from licence_audit.expressions import CLASSES, Expression, ExpressionError, Licence, LicenceClass, parse
from licence_audit.packages import normalised

SHIPPED_POLICY = Path(__file__).with_name("policy.toml")

_LISTABLE = tuple(licence_class for licence_class in CLASSES if licence_class != "unknown")
_TABLES = frozenset({"name", "licences", "packages", "replacements"})


class PolicyError(ValueError):
    """The policy cannot be used; says what is wrong, where, and what is expected."""


class LookedUp(TypedDict):
    """The licence of one package as a person found it; it counts instead of what the package states."""

    licence: str
    because: str


class Policy(TypedDict):
    """What the company permits: the class of each licence by its SPDX id; packages by their normalised names."""

    name: str
    licences: dict[str, LicenceClass]
    packages: dict[str, LookedUp]
    replacements: dict[str, str]


def load(policy: str | None = None) -> Policy:
    """Reads a policy: the path of a TOML file, or TOML text (which has a line break); by default the shipped one.

    Raises:
        PolicyError: it cannot be read, is no TOML, or says something that a policy cannot say.
    """
    text, where = _source(policy)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{where} is not TOML: {error}") from error
    strangers = sorted(table.keys() - _TABLES)
    if strangers:
        raise PolicyError(f"{where}: '{strangers[0]}' is not part of a policy; it has {', '.join(sorted(_TABLES))}")
    return Policy(
        name=_text(table.get("name", "unnamed policy"), f"{where}: name"),
        licences=_read_licences(_table(table, "licences", where), where),
        packages=_read_packages(_table(table, "packages", where), where),
        replacements={
            normalised(package): _text(advice, f"{where}: replacements.{package}")
            for package, advice in _table(table, "replacements", where).items()
        },
    )


def _source(policy: str | None) -> tuple[str, str]:
    if policy is not None and "\n" in policy:
        return policy, "the policy"
    path = Path(policy).expanduser().absolute() if policy else SHIPPED_POLICY
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except OSError as error:
        raise PolicyError(f"the policy {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise PolicyError(f"the policy {path} is not UTF-8 text: {error.reason} at byte {error.start}") from error


def _read_licences(table: Mapping[str, Any], where: str) -> dict[str, LicenceClass]:
    strangers = sorted(table.keys() - set(_LISTABLE))
    if strangers:
        raise PolicyError(f"{where}: licences.{strangers[0]} is no class; the classes are {', '.join(_LISTABLE)}")
    classes: dict[str, LicenceClass] = {}
    for licence_class in _LISTABLE:
        for entry in _listed(table, licence_class, where):
            licence = str(_single_licence(entry, f"{where}: licences.{licence_class}"))
            if licence in classes:
                raise PolicyError(f"{where}: {licence} is listed twice, as {classes[licence]} and as {licence_class}")
            classes[licence] = licence_class
    if not classes:
        raise PolicyError(f"{where}: no licence is listed; a policy has a table [licences] with {', '.join(_LISTABLE)}")
    return classes


def _listed(table: Mapping[str, Any], licence_class: str, where: str) -> list[str]:
    entries = table.get(licence_class, [])
    if not isinstance(entries, list):
        raise PolicyError(f"{where}: licences.{licence_class} is {_shown(entries)}; a list of SPDX ids is expected")
    return [_text(entry, f"{where}: an entry of licences.{licence_class}") for entry in entries]


def _single_licence(entry: str, where: str) -> Licence:
    expression = _expression(entry, where)
    if not isinstance(expression, Licence):
        raise PolicyError(f"{where}: '{entry}' names several licences; list each one by itself")
    return expression


def _read_packages(table: Mapping[str, Any], where: str) -> dict[str, LookedUp]:
    found: dict[str, LookedUp] = {}
    for package, entry in table.items():
        here = f"{where}: packages.{package}"
        if not isinstance(entry, dict) or entry.keys() != {"licence", "because"}:
            raise PolicyError(f'{here} is {_shown(entry)}; {{ licence = "SPDX", because = "who read it" }} is expected')
        licence = _text(entry["licence"], f"{here}.licence")
        found[normalised(package)] = LookedUp(
            licence=str(_expression(licence, here)), because=_text(entry["because"], f"{here}.because")
        )
    return found


def _expression(text: str, where: str) -> Expression:
    try:
        return parse(text)
    except ExpressionError as error:
        raise PolicyError(f"{where}: {error}") from error


def _table(table: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    found = table.get(name, {})
    if not isinstance(found, dict):
        raise PolicyError(f"{where}: {name} is {_shown(found)}; a table [{name}] is expected")
    return found


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise PolicyError(f"{where} is {_shown(value)}; text is expected")
    return value.strip()


def _shown(value: object) -> str:
    return repr(value)[:80]
