"""What a person deploys goes to the engine, and into the state database, where the heartbeat reads what it says."""

import asyncio
import os
import pwd
from collections.abc import Sequence
from typing import Final

from procos.kernel import deploying
from procos.kernel.deploying import Deployed
from procos.kernel.home import Home
from procos.model.definition import ProcessDefinition
from procos.model.deployment import Resource
from procos.settings import Settings
from procos.wiring.engines import EngineSession
from procos.wiring.stores import open_state_database

_MOST_NAMES: Final = 10


async def deploy(
    settings: Settings, session: EngineSession, resources: Sequence[Resource], *, deployed_by: str
) -> Deployed:
    """Deploys all of `resources` or none, remembers the definitions in the state database, and wakes the heartbeat.

    A database that is away undoes nothing: `Deployed.trouble` then says what is wrong.

    Raises:
        UsageError: a BPMN file cannot be read.
        EngineError: the engine refused them, with its own reason, or did not answer.
    """

    async def remember(definitions: Sequence[ProcessDefinition]) -> None:
        from procos.adapters.state.definition_store import SqlDefinitionStore  # noqa: PLC0415 - SQLAlchemy is slow

        database = await asyncio.to_thread(open_state_database, settings, Home(settings.home))
        try:
            store = SqlDefinitionStore(database, engine_id=session.engine_id)
            try:
                await store.record(definitions)
            finally:
                await store.close()
        finally:
            database.close()

    return await deploying.deploy(session.engine, remember, resources, deployed_by=deployed_by)


def notices(deployed: Deployed) -> list[str]:
    """What to tell the person who deployed, a line each: tasks without a job type, and what will not work."""
    return [*_unclaimed(deployed), *_trouble(deployed)]


def _unclaimed(deployed: Deployed) -> list[str]:
    count = len(deployed.unclaimed)
    if not count:
        return []
    names = [task.name or task.element_id for task in deployed.unclaimed[:_MOST_NAMES]]
    listed = ", ".join(names) + (f" and {count - len(names)} more" if count > len(names) else "")
    if count == 1:
        return [f"1 task has no job type: ProcOS will find who does it ({listed})"]
    return [f"{count} tasks have no job type: ProcOS will find who does them ({listed})"]


def _trouble(deployed: Deployed) -> list[str]:
    if deployed.trouble is None:
        return []
    hint = f" ({deployed.trouble.hint})" if deployed.trouble.hint else ""
    loss = (
        "until these files are deployed again, their tasks are routed without name, documentation and lane, and those "
        "whose job type no ProcOS worker is registered for are not looked for"
    )
    return [f"deployed, but not remembered: {deployed.trouble.message}{hint}", loss]


def this_user() -> str:
    """Who runs this process, as the system calls them."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container, a user often has a number only
        return str(os.getuid())
