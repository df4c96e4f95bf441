"""`procos tde new` and `procos tde from-openapi`: packages with TDEs, written for their author."""

from pathlib import Path
from typing import Annotated

import typer

from procos.cli.output import say

Folder = Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="Where the package's own folder goes.")]


def new(
    name: Annotated[str, typer.Argument(help="Name of the TDE and of its package, such as send-invoice.")],
    folder: Folder = Path(),
    is_async: Annotated[
        bool, typer.Option("--async", help="Make the function async: right for network calls.")
    ] = False,
) -> None:
    """Write a package with a TDE: function, tests, a process that uses it, entry point."""
    from procos.authoring.package import new_package
    from procos.kernel.plugins import discover

    taken = {found.tde.name for found in discover().tdes}
    target = new_package(name, folder, is_async=is_async, taken=taken)
    say(f"written: {target}")
    say(f"next: cd {target} && pip install --editable '.[test]' && python -m pytest")
    typer.echo(target)


def from_openapi(
    spec: Annotated[str, typer.Argument(metavar="FILE", help="An OpenAPI document, 3.0 or 3.1, JSON or YAML.")],
    folder: Folder = Path(),
    operation: Annotated[
        list[str] | None,
        typer.Option(
            "--operation", metavar="ID", help="Only this operation: its operationId, or 'GET /path'. Repeatable."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Name of the package, and the start of the TDEs' names."),
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option("--base-url", metavar="URL", help="Where the API is, instead of the document's servers."),
    ] = None,
) -> None:
    """Write a package with a typed TDE for each operation of an OpenAPI document."""
    from procos.authoring.openapi import from_openapi as generate
    from procos.kernel.plugins import discover

    taken = {found.tde.name for found in discover().tdes}
    made = generate(spec, folder, operations=operation or (), name=name, base_url=base_url, taken=taken)
    for note in made.notes:
        say(f"warning: {note}")
    say(f"written: {made.folder}, TDEs: {', '.join(made.tdes)}")
    if made.secrets:
        say(f"secrets that they need: {', '.join(made.secrets)}")
    say(f"next: cd {made.folder} && pip install --editable '.[test]' && python -m pytest")
    typer.echo(made.folder)
