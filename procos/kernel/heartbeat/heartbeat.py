"""One kernel's part in the heartbeat, put together: its workers, its stream, its report."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from procos.kernel.heartbeat.intake import Intake
from procos.kernel.heartbeat.pdo import Pdo
from procos.kernel.heartbeat.task_run import TaskRuns
from procos.model.heartbeat import HeartbeatReport
from procos.sdk.registration import Tde

LEASE: Final = timedelta(seconds=10)
"""How long the heartbeat waits for a kernel that was killed in the middle of one of these jobs."""


@dataclass(frozen=True)
class Heartbeat:
    """What a kernel does for the heartbeat of its engine; `prepare` does what the first task would wait for."""

    pdo: Pdo
    task_runs: TaskRuns
    intake: Intake
    prepare: Callable[[], Coroutine[Any, Any, None]]

    def tdes(self) -> Sequence[Tde[..., Any]]:
        """The workers that the kernel processes need."""
        return (*self.pdo.tdes(), *self.task_runs.tdes())

    async def run(self) -> None:
        """Takes in what the engine pushes, until it is cancelled."""
        preparing = asyncio.create_task(self.prepare(), name="prepare the router")
        try:
            await self.intake.run()
            await preparing
        finally:
            preparing.cancel()

    @property
    def report(self) -> HeartbeatReport:
        """The heartbeat in numbers."""
        return self.pdo.tally.report
