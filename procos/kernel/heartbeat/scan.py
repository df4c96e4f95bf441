"""One beat: what waits and is claimed by nobody is found and handed over."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

from procos.kernel.heartbeat.hand_over import HandOver
from procos.kernel.heartbeat.options import TASK_TYPE, HeartbeatOptions
from procos.kernel.heartbeat.sightings import Sightings
from procos.ports.definitions import DefinitionStore
from procos.ports.jobs import JobSource


@dataclass(frozen=True)
class Scan:
    """What one scan found; `is_full` where there may be more, `again_in` when one is needed at the latest."""

    found: int = 0
    handed_over: int = 0
    is_full: bool = False
    again_in: timedelta | None = None


@dataclass(frozen=True, kw_only=True)
class Scanner:
    """Scans for tasks; `registered` gives the job types that living ProcOS workers take."""

    jobs: JobSource
    definitions: DefinitionStore
    hand_over: HandOver
    sightings: Sightings
    registered: Callable[[], Awaitable[Collection[str]]]
    worker: str
    options: HeartbeatOptions

    async def scan(self) -> Scan:
        """Takes one batch of each type.

        Raises:
            EngineError: the engine did not answer; what was taken before is handed over.
            StoreError: the definitions or the living workers cannot be read.
        """
        own = await self.jobs.activate(
            TASK_TYPE, worker=self.worker, max_jobs=self.options.batch, lease=self.options.hand_over_lease
        )
        found, handed_over = len(own), await self.hand_over.hand_over(own)
        is_full = found >= self.options.batch
        foreign = await self._foreign_types()
        self.sightings.forget_others(foreign)
        for job_type in foreign:
            taken = await self.sightings.unclaimed(job_type)
            found += len(taken)
            handed_over += await self.hand_over.hand_over(taken)
            is_full = is_full or len(taken) >= self.options.batch
        return Scan(found, handed_over, is_full, self.sightings.next_look())

    async def _foreign_types(self) -> list[str]:
        known = await self.definitions.job_types()
        return sorted(it for it in known - set(await self.registered()) if self.options.is_for_us(it))
