"""`procos deploy`."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from procos.cli import options
from procos.cli.output import print_json, print_table, settings_of

if TYPE_CHECKING:
    from procos.model.deployment import Deployment, Resource
    from procos.settings import Settings


def deploy(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="BPMN, DMN and form files, or folders of them.")
    ],
    home: options.Home = None,
    address: options.Address = None,
    as_json: options.Json = False,
) -> None:
    """Deploy BPMN, DMN and forms: all of the given files, or none of them when one is refused."""
    from procos.kernel.resource_files import read_resources

    settings = settings_of(home=home, address=address).values
    deployment = asyncio.run(_deploy(settings, read_resources(files)))
    if as_json:
        from dataclasses import asdict

        print_json(asdict(deployment))
    else:
        rows = [(it.id, it.kind, str(it.version), str(it.key), it.resource_name) for it in deployment.resources]
        print_table(["id", "kind", "version", "key", "file"], rows)


async def _deploy(settings: "Settings", resources: list["Resource"]) -> "Deployment":
    from procos.wiring.engines import connect

    async with connect(settings) as session:
        return await session.engine.deploy(resources)
