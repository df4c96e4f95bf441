"""An OpenAPI document read, and the files of a package written from it."""

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from procos.authoring.openapi.build import Builder, Built
from procos.authoring.openapi.code import one_line
from procos.authoring.openapi.declarations import Declaration
from procos.authoring.openapi.document import Node, read_document
from procos.authoring.openapi.operations import Found, Operation, OperationReader, find_operations
from procos.authoring.openapi.package_text import Package, package_text
from procos.authoring.openapi.schemas import Schemas
from procos.authoring.package_files import check_import, check_package_name, tidy_name, write_package
from procos.errors import UsageError

_NEEDED_BY_THE_CODE = {"tests", "calling", "models", "operations"}


@dataclass(frozen=True)
class Generated:
    """What was written: where, the names of the TDEs, their secrets, and what is not as the document has it."""

    folder: Path
    tdes: tuple[str, ...]
    secrets: tuple[str, ...]
    notes: tuple[str, ...]


def from_openapi(
    spec: str,
    folder: Path,
    *,
    operations: Collection[str] = (),
    name: str | None = None,
    base_url: str | None = None,
    taken: Collection[str] = (),
    is_imported: bool = True,
) -> Generated:
    """Writes the package `name` below `folder`, with a TDE for each of the `operations`, all of them unless given.

    The name is that of the document unless given, and begins the names of the TDEs. `base_url` replaces the servers
    that the document names; `taken` are the names of TDEs that are installed. Unless `is_imported` is switched off,
    the package is imported once in a Python of its own before it appears.

    Raises:
        UsageError: the document, an option or the name is wrong; nothing is written then.
    """
    try:
        root = read_document(spec)
        name = _name(root) if name is None else name
        module = check_package_name(name, folder, reserved=_NEEDED_BY_THE_CODE)
        notes: dict[str, None] = {}
        reader = OperationReader(root, notes.setdefault, prefix=name, base_url=base_url)
        built, declarations = _built(root, name, _read(reader, find_operations(root, operations), notes), notes)
    except RecursionError:
        raise UsageError(f"{spec} is nested too deeply") from None
    _refuse_taken(built, taken)
    package = Package(name=name, module=module, title=_title(root) or name, built=built, notes=tuple(notes))
    check = functools.partial(check_import, f"{module}.operations") if is_imported else None
    write_package(folder / name, package_text(package, declarations), check=check)
    return Generated(folder / name, tuple(one.tde_name for one in built), package.secrets, package.notes)


def _read(reader: OperationReader, found: Sequence[Found], notes: Mapping[str, None]) -> list[Operation]:
    read = [operation for one in found if (operation := reader.read(one)) is not None]
    if not read:
        raise UsageError(f"{found[0].node.source}: none of its operations can be made", hint="; ".join(notes))
    return read


def _built(
    root: Node, name: str, read: Sequence[Operation], notes: dict[str, None]
) -> tuple[tuple[Built, ...], Mapping[str, Declaration]]:
    schemas = Schemas(root, notes.setdefault)
    builder = Builder(schemas, name, notes.setdefault)
    built = tuple(builder.build(operation) for operation in read)
    schemas.complete()
    if root.get("webhooks") is not None:
        notes.setdefault("the document's webhooks are not made; nothing here listens for requests")
    return built, schemas.declarations


def _title(root: Node) -> str:
    info = root.get("info")
    return one_line(info.text("title")) if info is not None else ""


def _name(root: Node) -> str:
    name = tidy_name(_title(root))
    if not name:
        raise UsageError(f"{root.source} has no title to name the package by", hint="give a name with --name")
    return name


def _refuse_taken(built: Sequence[Built], taken: Collection[str]) -> None:
    for one in built:
        if one.tde_name in taken:
            raise UsageError(
                f"a TDE '{one.tde_name}' is installed already", hint="give the package another name with --name"
            )
