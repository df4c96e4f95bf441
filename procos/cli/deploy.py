"""`procos deploy`."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from procos.cli import options
from procos.cli.output import print_json, print_table, say, settings_of

if TYPE_CHECKING:
    from procos.kernel.deploying import Deployed
    from procos.model.deployment import Resource
    from procos.settings import Settings


def deploy(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="BPMN, DMN and form files, or folders of them.")
    ],
    home: options.Home = None,
    address: options.Address = None,
    as_json: options.Json = False,
) -> None:
    """Deploy BPMN, DMN and forms: all of the given files, or none of them when one is refused.

    A task that was drawn with only a name is done by a TDE that ProcOS finds for it.
    """
    from procos.kernel.resource_files import read_resources
    from procos.wiring.deploying import notices

    settings = settings_of(home=home, address=address).values
    deployed = asyncio.run(_deploy(settings, read_resources(files)))
    if as_json:
        from dataclasses import asdict

        tasks = [{"element_id": task.element_id, "name": task.name} for task in deployed.unclaimed]
        print_json(asdict(deployed.deployment) | {"unclaimed": tasks})
    else:
        rows = [
            (it.id, it.kind, str(it.version), str(it.key), it.resource_name) for it in deployed.deployment.resources
        ]
        print_table(["id", "kind", "version", "key", "file"], rows)
    for notice in notices(deployed):
        say(notice)


async def _deploy(settings: "Settings", resources: list["Resource"]) -> "Deployed":
    from procos.wiring import deploying
    from procos.wiring.engines import connect

    async with connect(settings) as session:
        return await deploying.deploy(settings, session, resources, deployed_by=deploying.this_user())
