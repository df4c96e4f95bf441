"""The bootstrap process: its definitions deployed, its jobs done, its end awaited."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel, Field

from procos.errors import EngineNotFound, EngineRejected, GiveUp, ProcosError
from procos.kernel.health import HealthChecks
from procos.kernel.home import Home
from procos.kernel.own_definitions import OwnDefinitions
from procos.kernel.plugins import Plugins
from procos.kernel.presence import replace_file
from procos.model.deployment import Resource
from procos.model.kernel_state import Problem
from procos.model.routing import RULES_ID
from procos.ports.engine import Engine
from procos.sdk.context import TaskContext
from procos.sdk.registration import Tde, tde

PROCESS_ID: Final = "procos-bootstrap"
_log = logging.getLogger(__name__)


class NoInput(BaseModel):
    """The input of a kernel job that needs none."""


class Well(BaseModel):
    """A health check that found nothing wrong."""

    finding: str


class Registration(BaseModel):
    """What was registered: TDE names, and those that cannot be used with the reason."""

    registered: list[str]
    broken: dict[str, str] = Field(default_factory=dict)


@dataclass
class Bootstrap:
    """One run of the bootstrap process for the kernel `kernel_id`.

    `on_problem` hears of each failed check; `start_heartbeat` does nothing where a heartbeat lives.
    """

    kernel_id: str
    version: str
    engine: Engine
    home: Home
    plugins: Plugins
    checks: HealthChecks
    on_problem: Callable[[Problem], None]
    start_heartbeat: Callable[[], Awaitable[None]]
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def deploy(self, resources: Sequence[Resource]) -> None:
        """Deploys the kernel's definitions."""
        await OwnDefinitions(self.engine, self.home.state / "kernel-definitions.json").deploy(resources)

    async def deploy_rules(self, rules: Resource) -> None:
        """Deploys the routing rules to begin with, where none are deployed yet: later ones are people's own."""
        try:
            await self.engine.evaluate_decision(RULES_ID, variables={})
        except EngineNotFound:
            await self.engine.deploy([rules])
            _log.info("the routing rules '%s' deployed; edit them in Modeler and deploy them anew", RULES_ID)
        except EngineRejected:
            _log.debug("there are routing rules that want more than nothing to decide")

    async def start(self, earlier: int | None) -> int:
        """Starts the process and returns its instance key; what is left of an `earlier` run is cancelled first."""
        if earlier is not None:
            try:
                await self.engine.cancel_instance(earlier)
            except EngineNotFound:
                _log.debug("the bootstrap process %d of the earlier boot has ended", earlier)
        variables = {"kernelId": self.kernel_id, "version": self.version, "correlationId": f"boot-{self.kernel_id}"}
        return (await self.engine.create_instance(PROCESS_ID, variables=variables)).key

    def tdes(self) -> list[Tde[..., Any]]:
        """The kernel's own jobs, as TDEs whose job types carry the kernel's id: each kernel examines itself."""

        async def health(_: NoInput, context: TaskContext) -> Well:
            try:
                return Well(finding=await self.checks.run(context.headers.get("check", "")))
            except ProcosError as error:
                self.on_problem(Problem(what=error.message, hint=error.hint or ""))
                raise GiveUp(f"{error.message}. {error.hint or ''}".strip()) from error

        async def register(_: NoInput) -> Registration:
            manifests = [found.tde.manifest(distribution=found.distribution) for found in self.plugins.tdes]
            catalogue = [manifest.model_dump(mode="json") for manifest in manifests]
            replace_file(self.home.catalogue_file, json.dumps(catalogue, indent=1))
            return Registration(
                registered=[manifest.name for manifest in manifests],
                broken={plugin.name: plugin.reason for plugin in self.plugins.broken},
            )

        async def heartbeat(_: NoInput) -> None:
            await self.start_heartbeat()

        async def announce(_: NoInput) -> None:
            self.ready.set()

        limit = timedelta(minutes=1)
        return [
            tde("health", job_type=f"procos.health.{self.kernel_id}", description="Checks one part", time_limit=limit)(
                health
            ),
            tde(
                "register", job_type=f"procos.register.{self.kernel_id}", description="Registers TDEs", time_limit=limit
            )(register),
            tde(
                "heartbeat",
                job_type=f"procos.heartbeat.{self.kernel_id}",
                description="Starts the heartbeat",
                time_limit=limit,
            )(heartbeat),
            tde("ready", job_type=f"procos.ready.{self.kernel_id}", description="Starts the work", time_limit=limit)(
                announce
            ),
        ]
