"""BPMN, DMN and form files are looked at here before the engine sees them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.parsers import expat

from procos.errors import UsageError
from procos.model.deployment import Resource

LARGEST_BYTES: Final = 4 * 1024**2 - 64 * 1024
"""A little less than the 4 MiB that the engine takes in one message, for what surrounds the files."""

SUFFIXES: Final = (".bpmn", ".dmn", ".form")


def read_resources(paths: Sequence[Path]) -> list[Resource]:
    """Reads and checks the files, and all of those in folders that are given.

    Raises:
        UsageError: a file is missing, too large, of another kind, or broken; names the file and the line.
    """
    files = dict.fromkeys(file.absolute() for path in paths for file in _expand(path))
    resources: dict[str, Resource] = {}
    for file in files:
        if file.name in resources:
            raise UsageError(f"two files are called {file.name}; the engine tells resources apart by their names")
        resources[file.name] = _read(file)
    total = sum(len(resource.content) for resource in resources.values())
    if total > LARGEST_BYTES:
        raise UsageError(
            f"the files have {total / 1024**2:.1f} MiB together; the engine takes 4 MiB at once",
            hint="deploy them in several steps",
        )
    return list(resources.values())


def _expand(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
        if not files:
            raise UsageError(f"the folder {path} holds no {', '.join(SUFFIXES)} file")
        return files
    return [path]


def _read(file: Path) -> Resource:
    if file.suffix not in SUFFIXES:
        raise UsageError(f"{file}: the engine takes {', '.join(SUFFIXES)} files only")
    try:
        size = file.stat().st_size
        if size > LARGEST_BYTES:
            raise UsageError(f"{file} has {size / 1024**2:.1f} MiB; the engine takes 4 MiB at once")
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    check = _check_json if file.suffix == ".form" else _check_xml
    check(file, content)
    return Resource(file.name, content)


def _check_xml(file: Path, content: bytes) -> None:
    """Parses with expat, which knows lines, and stops at a DTD: entities could only come from there."""
    parser = expat.ParserCreate()

    def refuse_dtd(*_: object) -> None:
        raise UsageError(
            f"{file}, line {parser.CurrentLineNumber}: a document type (DTD) is not allowed, entities are not either",
            hint="remove the <!DOCTYPE …> part; no modeler writes one",
        )

    parser.StartDoctypeDeclHandler = refuse_dtd
    try:
        parser.Parse(content, True)  # noqa: FBT003 - expat's own signature
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise UsageError(
            f"{file}, line {error.lineno}, column {error.offset + 1}: broken XML: {reason}",
            hint="open it in Camunda Modeler, or mend that line",
        ) from None
    except (LookupError, ValueError) as error:
        raise UsageError(
            f"{file}, line {parser.CurrentLineNumber}: its encoding cannot be read: {error}", hint="save it as UTF-8"
        ) from None


def _check_json(file: Path, content: bytes) -> None:
    try:
        form = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not a form: broken JSON: {error}") from None
    if not isinstance(form, dict) or not form.get("id"):
        raise UsageError(f"{file} is not a form: it has no 'id'", hint="save it from Camunda Modeler")


def element_names(resource: Resource) -> dict[str, str]:
    """The name of each named element of a BPMN file that `read_resources` has checked, by element id."""
    names: dict[str, str] = {}

    def start(_: str, attributes: dict[str, str]) -> None:
        if attributes.get("id") and attributes.get("name"):
            names[attributes["id"]] = " ".join(attributes["name"].split())

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.Parse(resource.content, True)  # noqa: FBT003 - expat's own signature
    return names
