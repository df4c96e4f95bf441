"""User files are prepared, deployed and remembered; then the heartbeat is woken, to look for what is new."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from procos.errors import EngineError, MissingExtraError, StoreError, UsageError
from procos.kernel.heartbeat.options import PDO_KEY, WAKE_MESSAGE
from procos.kernel.resource_files import LARGEST_BYTES
from procos.kernel.task_elements import read_processes
from procos.kernel.unclaimed import Prepared, prepare
from procos.model.definition import ProcessDefinition, TaskElement
from procos.model.deployment import Deployment, Resource
from procos.ports.engine import Engine

Remember = Callable[[Sequence[ProcessDefinition]], Awaitable[None]]
"""`DefinitionStore.record`, or what opens a store first."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What the engine took; `unclaimed` are the tasks for which the heartbeat finds a TDE.

    `trouble` is None where the definitions were remembered, else what was wrong; the deployment stands all the same.
    """

    deployment: Deployment
    unclaimed: tuple[TaskElement, ...] = ()
    trouble: StoreError | MissingExtraError | None = None


async def deploy(engine: Engine, remember: Remember, resources: Sequence[Resource], *, deployed_by: str) -> Deployed:
    """Deploys all of `resources`, with the job type `procos.task` where a task has none, or none of them.

    Raises:
        UsageError: a BPMN file cannot be read, or is too large with what is added.
        EngineError: the engine refused them, with its own reason, or did not answer.
    """
    prepared = await asyncio.to_thread(_prepare, resources)
    files = [it.resource for it in prepared]
    deployment = await engine.deploy(files)
    definitions = await asyncio.to_thread(definitions_of, deployment, files, deployed_by=deployed_by)
    trouble = await _remembered(remember, definitions)
    await _wake(engine)
    return Deployed(deployment, tuple(task for it in prepared for task in it.tasks), trouble)


def definitions_of(
    deployment: Deployment, resources: Sequence[Resource], *, deployed_by: str
) -> tuple[ProcessDefinition, ...]:
    """The process definitions in a deployment of `resources`, as a `DefinitionStore` keeps them.

    Raises:
        UsageError: a BPMN file cannot be read.
    """
    deployed = [resource for resource in deployment.resources if resource.kind == "process"]
    files = {resource.name: resource for resource in resources}
    drawn = {
        (name, process.id): process
        for name in {it.resource_name for it in deployed}
        for process in read_processes(files[name])
    }
    now = datetime.now(UTC)
    return tuple(
        ProcessDefinition(
            key=it.key,
            id=it.id,
            version=it.version,
            name=drawn[it.resource_name, it.id].name,
            resource_name=it.resource_name,
            xml=files[it.resource_name].content,
            elements=drawn[it.resource_name, it.id].elements,
            deployed_by=deployed_by,
            deployed_at=now,
        )
        for it in deployed
    )


def _prepare(resources: Sequence[Resource]) -> list[Prepared]:
    prepared = [prepare(resource) for resource in resources]
    total = sum(len(it.resource.content) for it in prepared)
    if total > LARGEST_BYTES and any(it.tasks for it in prepared):
        raise UsageError(
            f"with the job types that the tasks without one get, the files have {total / 1024**2:.2f} MiB together; "
            "the engine takes 4 MiB at once",
            hint="deploy them in several steps",
        )
    return prepared


async def _remembered(
    remember: Remember, definitions: Sequence[ProcessDefinition]
) -> StoreError | MissingExtraError | None:
    if not definitions:
        return None
    try:
        await remember(definitions)
    except (StoreError, MissingExtraError) as error:
        return error
    return None


async def _wake(engine: Engine) -> None:
    try:
        await engine.publish_message(WAKE_MESSAGE, correlation_key=PDO_KEY)
    except EngineError as error:
        _log.info("the heartbeat could not be woken, and finds what is new at its next beat: %s", error)
