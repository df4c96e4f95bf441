"""`procos tde from-openapi`: a package with a typed TDE for each operation of an OpenAPI document."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from procos.authoring.openapi_build import Builder, Built
from procos.authoring.openapi_code import one_line
from procos.authoring.openapi_document import Node, read_document
from procos.authoring.openapi_operations import OperationReader, find_operations
from procos.authoring.openapi_package import Package, package_text
from procos.authoring.openapi_schemas import Schemas
from procos.authoring.package_files import check_package_name, tidy_name, write_package
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
) -> Generated:
    """Writes the package `name` below `folder`, with a TDE for each of the `operations`, all of them unless given.

    The name is that of the document unless given, and begins the names of the TDEs. `base_url` replaces the servers
    that the document names; `taken` are the names of TDEs that are installed.

    Raises:
        UsageError: the document, an option or the name is wrong; nothing is written then.
    """
    try:
        root = read_document(spec)
        return _generated(root, folder, operations=operations, name=name, base_url=base_url, taken=taken)
    except RecursionError:
        raise UsageError(f"{spec} is nested too deeply") from None


def _generated(
    root: Node,
    folder: Path,
    *,
    operations: Collection[str],
    name: str | None,
    base_url: str | None,
    taken: Collection[str],
) -> Generated:
    title = _title(root)
    name = _name(root, title) if name is None else name
    module = check_package_name(name, folder, reserved=_NEEDED_BY_THE_CODE)
    notes: dict[str, None] = {}
    note = notes.setdefault
    reader = OperationReader(root, note, prefix=name, base_url=base_url)
    read = [operation for found in find_operations(root, operations) if (operation := reader.read(found)) is not None]
    if not read:
        raise UsageError(f"{root.source}: none of its operations can be made", hint="; ".join(notes))
    schemas = Schemas(root, note)
    builder = Builder(schemas, name, note)
    built = [builder.build(operation) for operation in read]
    schemas.complete()
    _refuse_taken(built, taken)
    if root.get("webhooks") is not None:
        note("the document's webhooks are not made; nothing here listens for requests")
    package = Package(name=name, module=module, title=title or name, built=tuple(built), notes=tuple(notes))
    write_package(folder / name, package_text(package, schemas.declarations))
    return Generated(folder / name, tuple(one.tde_name for one in built), package.secrets, package.notes)


def _title(root: Node) -> str:
    info = root.get("info")
    return one_line(info.text("title")) if info is not None else ""


def _name(root: Node, title: str) -> str:
    name = tidy_name(title)
    if not name:
        raise UsageError(f"{root.source} has no title to name the package by", hint="give a name with --name")
    return name


def _refuse_taken(built: Sequence[Built], taken: Collection[str]) -> None:
    for one in built:
        if one.tde_name in taken:
            raise UsageError(
                f"a TDE '{one.tde_name}' is installed already", hint="give the package another name with --name"
            )
