"""Jobs of types that nobody is known to work on are left alone for a grace period, then taken."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from procos.errors import EngineError, EngineNotFound
from procos.kernel.heartbeat.options import HeartbeatOptions
from procos.model.job import Failed, Job
from procos.ports.jobs import JobSource

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Sightings:
    """The first time that each waiting job of a foreign type was seen; `now` is in seconds and only grows.

    The engine tells nobody how long a job has waited, so looking means taking: what was seen for the first time is
    given back at once, with its retries unchanged, and its type is looked at again only when the grace period is over.
    """

    jobs: JobSource
    worker: str
    options: HeartbeatOptions
    now: Callable[[], float] = time.monotonic
    _seen: dict[str, dict[int, float]] = field(default_factory=dict, init=False)
    _look_at: dict[str, float] = field(default_factory=dict, init=False)

    async def unclaimed(self, job_type: str) -> Sequence[Job]:
        """Jobs of that type that nobody took for the whole grace period; they are leased to us.

        Raises:
            EngineError: the engine did not answer.
        """
        if self.now() < self._look_at.get(job_type, 0.0):
            return []
        there = await self.jobs.activate(
            job_type, worker=self.worker, max_jobs=self.options.batch, lease=self.options.hand_over_lease
        )
        moment, grace = self.now(), self.options.grace.total_seconds()
        before = self._seen.pop(job_type, {})
        ripe = [job for job in there if moment - before.get(job.key, moment) >= grace]
        young = {job.key: before.get(job.key, moment) for job in there if job not in ripe}
        for job in there:
            if job.key in young:
                await self._give_back(job)
        if young:
            self._seen[job_type] = young
            self._look_at[job_type] = min(young.values()) + grace
        return ripe

    def next_look(self) -> timedelta | None:
        """How long until the first type is due again, None where none is."""
        due = [self._look_at[job_type] for job_type in self._seen]
        return timedelta(seconds=max(0.0, min(due) - self.now())) if due else None

    def forget_others(self, job_types: Sequence[str]) -> None:
        """Only `job_types` are looked at from now on."""
        for known in (self._seen, self._look_at):
            for job_type in known.keys() - set(job_types):
                del known[job_type]

    async def _give_back(self, job: Job) -> None:
        try:
            await self.jobs.deliver(job, Failed("looked at by the ProcOS heartbeat and given back", job.retries))
        except EngineNotFound:
            _log.debug("job %s ended while it was looked at", job.key)
        except EngineError as error:
            _log.warning("job %s comes back when its lease is over: %s", job.key, error)
