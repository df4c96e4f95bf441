"""The kernel's life: reach the engine, bootstrap, let workers run, notice when the engine goes, drain, end."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from procos.errors import EngineError, EngineRejected, EngineUnavailable
from procos.kernel import presence
from procos.kernel.bootstrap import Bootstrap
from procos.kernel.health import HealthChecks
from procos.kernel.heartbeat.heartbeat import LEASE, Heartbeat
from procos.kernel.home import Home
from procos.kernel.plugins import Plugins
from procos.model.deployment import Resource
from procos.model.kernel_state import KernelState, Problem, WorkerReport
from procos.ports.engine import Engine
from procos.resources import kernel_bpmn, routing_rules
from procos.sdk.registration import Tde

LOOK_EVERY: Final = timedelta(seconds=2)
"""How often the kernel looks whether the engine is there, and says so in its state."""

REVIVE_EVERY: Final = timedelta(seconds=10)
"""How long the kernel waits after it could not start its embedded engine again."""

_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 5.0
_log = logging.getLogger(__name__)


class Workers(Protocol):
    """What the kernel needs of the runtime."""

    def start(self, tdes: Sequence[Tde[..., Any]], *, lease: timedelta | None = None) -> None:
        """Starts a worker for each of `tdes`; `lease` where it is not the usual one."""
        ...

    async def drain(self, grace: timedelta, job_types: Sequence[str] | None = None) -> None:
        """Stops workers: no new jobs, `grace` for the running ones, the rest handed back."""
        ...

    def reports(self) -> tuple[WorkerReport, ...]:
        """Every worker in numbers."""
        ...


@dataclass(kw_only=True)
class Kernel:
    """One boot of the kernel in `home`, which must be held (`presence.hold`); `on_change` hears of each new state.

    `tde_processes` are those of the TDEs, through which the heartbeat calls them. `revive_engine` starts the embedded
    engine again where its process has ended; it blocks, and may raise EngineError.
    """

    engine: Engine
    home: Home
    plugins: Plugins
    workers: Workers
    state: KernelState
    heartbeat: Heartbeat
    tde_processes: Sequence[Resource]
    revive_engine: Callable[[], None] | None = None
    drain_grace: timedelta = timedelta(seconds=20)
    on_change: Callable[[KernelState], None] = lambda _: None
    _failed_checks: dict[str, Problem] = field(default_factory=dict, init=False)

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop` is set, then drains.

        Raises:
            EngineError: the engine refuses what the kernel needs (its processes, its credentials).
        """
        work = asyncio.create_task(self._live())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work
        finally:
            work.cancel()
            stopping.cancel()
            await asyncio.gather(work, stopping, return_exceptions=True)
            self._change(phase="draining")
            await self.workers.drain(self.drain_grace)
            self._change(phase="stopped", workers=())

    async def _live(self) -> None:
        await self._reach_engine()
        await self._bootstrap()
        tdes = [found.tde for found in self.plugins.tdes]
        self.workers.start(tdes)
        beating = asyncio.create_task(self._beat(), name="heartbeat")
        try:
            self._change(phase="ready", tdes=tuple(tde.name for tde in tdes))
            while True:
                await asyncio.sleep(LOOK_EVERY.total_seconds())
                await self._look()
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _beat(self) -> None:
        """Takes part in the heartbeat."""
        self.workers.start(self.heartbeat.tdes(), lease=LEASE)
        try:
            await self.heartbeat.run()
        except Exception:  # noqa: BLE001 - a defect there is no reason to end the kernel
            _log.exception("tasks that the engine pushes are not taken in any more; scans find them later")

    async def _reach_engine(self) -> None:
        wait = _FIRST_WAIT_S
        while True:
            try:
                topology = await self.engine.topology()
            except EngineRejected:
                raise
            except EngineError as error:
                self._change(phase="waiting", trouble=(_problem(error),))
            else:
                self._change(engine_version=topology.gateway_version)
                if topology.is_ready:
                    self._change(phase="starting")
                    return
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, _LONGEST_WAIT_S)

    async def _bootstrap(self) -> None:
        checks = HealthChecks(engine=self.engine, home=self.home, plugins=self.plugins, embedded=self.state.embedded)
        bootstrap = Bootstrap(
            kernel_id=self.state.kernel_id,
            version=self.state.version,
            engine=self.engine,
            home=self.home,
            plugins=self.plugins,
            checks=checks,
            on_problem=self._degrade,
            start_heartbeat=self.heartbeat.pdo.start,
        )
        own = bootstrap.tdes()
        self.workers.start(own)
        own_resources = [Resource(file.name, file.read_bytes()) for file in kernel_bpmn()]
        rules = Resource(routing_rules().name, routing_rules().read_bytes())
        while not bootstrap.ready.is_set():
            try:
                await bootstrap.deploy([*own_resources, *self.tde_processes])
                await bootstrap.deploy_rules(rules)
                self._change(bootstrap_key=await bootstrap.start(self.state.bootstrap_key))
                await bootstrap.ready.wait()
            except EngineRejected:
                raise
            except EngineError as error:
                _log.warning("the bootstrap is tried again: %s", error)
                await asyncio.sleep(_LONGEST_WAIT_S)
        await self.workers.drain(timedelta(seconds=5), [tde.job_type for tde in own])

    async def _look(self) -> None:
        try:
            await self.engine.topology()
        except EngineError as error:
            if self.state.phase != "reconnecting":
                _log.warning("the engine went away; jobs in hand go on, the rest waits: %s", error)
            self._change(phase="reconnecting", trouble=(_problem(error),))
            if isinstance(error, EngineUnavailable) and self.revive_engine is not None:
                await self._revive(self.revive_engine)
        else:
            if self.state.phase == "reconnecting":
                _log.info("the engine is back")
            self._change(phase="ready")

    async def _revive(self, revive_engine: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(revive_engine)
        except EngineError as error:
            _log.error("the embedded engine cannot be started again: %s", error)
            self._change(phase="reconnecting", trouble=(_problem(error),))
            await asyncio.sleep(REVIVE_EVERY.total_seconds())

    def _degrade(self, problem: Problem) -> None:
        _log.error("health check failed: %s %s", problem.what, problem.hint)
        self._failed_checks[problem.what] = problem
        self._change(phase="degraded", trouble=tuple(self._failed_checks.values()))

    def _change(self, *, trouble: tuple[Problem, ...] = (), **changes: Any) -> None:  # noqa: ANN401 - fields of KernelState
        """Makes the new state known; `trouble` is what is wrong now, beside the TDEs that could not be loaded."""
        broken = (Problem(what=f"TDE '{it.name}' of {it.distribution}: {it.reason}") for it in self.plugins.broken)
        now = {
            "updated_at": datetime.now(UTC),
            "workers": self.workers.reports(),
            "heartbeat": self.heartbeat.report,
            "problems": (*broken, *trouble),
        }
        self.state = self.state.model_copy(update={**now, **changes})
        presence.write(self.home, self.state)
        self.on_change(self.state)


def _problem(error: EngineError) -> Problem:
    return Problem(what=error.message, hint=error.hint or "")
