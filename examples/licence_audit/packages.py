"""Step 'List installed packages': what is installed, and what each package says of its licence."""

import importlib.metadata
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import Distribution, PackageMetadata
from typing import TypedDict

LONGEST_LICENCE_NAME = 120
"""Characters; a License field that is longer, or has several lines, is a licence's text and not its name."""

_LICENCE_CLASSIFIER = "License :: "
_PLACEHOLDERS = frozenset({"", "unknown", "none", "null", "n/a", "na", "-", "tbd", "see license", "see licence"})
_HOMEPAGE_LABELS = ("homepage", "home", "source", "sourcecode", "repository", "github", "documentation", "docs")
_REQUIRED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA_MARKER = re.compile(r";.*\bextra\s*==")


class Package(TypedDict):
    """One installed package, in its own words.

    `licence_field` is the License field where that is a name, else None; `licence_text_title` is the first line of a
    License field that holds a whole text. `requires` are the packages that it needs without any extra, normalised.
    """

    name: str
    version: str
    licence_expression: str | None
    licence_classifiers: list[str]
    licence_field: str | None
    licence_text_title: str | None
    homepage: str | None
    requires: list[str]


def list_installed(path: Sequence[str] | None = None) -> list[Package]:
    """Lists every installed package once, sorted by name.

    `path` are the folders to look in (another environment's `site-packages`); by default all folders that this Python
    imports from. Of a package that is there twice, the one counts that Python would import.
    """
    found: dict[str, Package] = {}
    for distribution in _distributions(path):
        package = _describe(distribution)
        found.setdefault(normalised(package["name"]), package)
    return [found[key] for key in sorted(found)]


def normalised(name: str) -> str:
    """A package's name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).casefold()


def is_placeholder(text: str) -> bool:
    """Whether a metadata field only looks filled ('UNKNOWN' is what old build tools wrote)."""
    return " ".join(text.casefold().split()) in _PLACEHOLDERS


def _distributions(path: Sequence[str] | None) -> Iterator[Distribution]:
    if path is None:
        yield from importlib.metadata.distributions()
    else:
        yield from importlib.metadata.distributions(path=list(path))


def _describe(distribution: Distribution) -> Package:
    try:
        fields = _fields(distribution)
    except (UnicodeDecodeError, OSError):
        # A package whose metadata nobody can read is a finding of the audit, not the end of it.
        fields = {}
    classifiers = [line for line in fields.get("classifier", ()) if line.startswith(_LICENCE_CLASSIFIER)]
    name, title = _name_or_title(_first(fields, "license"))
    return Package(
        name=_first(fields, "name") or f"(no name, in {distribution.locate_file('')})",
        version=_first(fields, "version") or "(no version)",
        licence_expression=_stated(_first(fields, "license-expression")),
        licence_classifiers=classifiers,
        licence_field=name,
        licence_text_title=title,
        homepage=_homepage(fields),
        requires=_required(fields.get("requires-dist", ())),
    )


def _fields(distribution: Distribution) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    # Without a metadata file, some versions of the library give an empty message here, and some give None.
    metadata: PackageMetadata | None = distribution.metadata
    if metadata is None:
        return fields
    for name in {key.casefold() for key in metadata}:
        fields[name] = [str(value).strip() for value in metadata.get_all(name, [])]
    return fields


def _first(fields: Mapping[str, Sequence[str]], name: str) -> str | None:
    return next((value for value in fields.get(name, ()) if value), None)


def _stated(text: str | None) -> str | None:
    return None if text is None or is_placeholder(text) else text


def _name_or_title(field: str | None) -> tuple[str | None, str | None]:
    stated = _stated(field)
    if stated is None:
        return None, None
    lines = [line.strip() for line in stated.splitlines() if line.strip()]
    if len(lines) == 1 and len(stated) <= LONGEST_LICENCE_NAME:
        return stated, None
    return None, lines[0][:LONGEST_LICENCE_NAME]


def _homepage(fields: Mapping[str, Sequence[str]]) -> str | None:
    home = _stated(_first(fields, "home-page"))
    if home is not None:
        return home
    links = [line.partition(",") for line in fields.get("project-url", ())]
    by_label = {re.sub(r"[^a-z]", "", label.casefold()): url.strip() for label, _, url in reversed(links)}
    preferred = (by_label[label] for label in _HOMEPAGE_LABELS if label in by_label)
    return next(preferred, links[0][2].strip() if links else None)


def _required(lines: Sequence[str]) -> list[str]:
    names = {match[0] for line in lines if not _EXTRA_MARKER.search(line) and (match := _REQUIRED_NAME.match(line))}
    return sorted(normalised(name) for name in names)
