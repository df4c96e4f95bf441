"""Jobs in hand keep their leases: each is renewed in time, and one that is gone is noticed."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from procos.errors import EngineError, EngineNotFound
from procos.model.job import Job
from procos.ports.jobs import JobSource
from procos.telemetry.metrics import WorkerMetrics

RENEW_AT: Final = 0.6
"""The part of a lease after which it is renewed."""
RENEW_AGAIN_AFTER: Final = 0.05
"""The part of a lease after which a renewal that failed is tried again, so that there are several before it is over."""
OVER_SOON: Final = 0.2
"""The part of a lease that is left when renewing it has failed several times: it may be over for the engine."""

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class HeldJob:
    """A job in hand; `ends_at` is the moment (monotonic, seconds) at which its lease is over."""

    job: Job
    ends_at: float
    arrived_at: float = field(default_factory=time.monotonic)
    is_gone: bool = False
    when_gone: Callable[[], None] | None = None
    timer: asyncio.TimerHandle | None = None
    renewing: "asyncio.Task[None] | None" = None

    def seconds_left(self) -> float:
        """What is left of the lease."""
        return self.ends_at - time.monotonic()


class Leases:
    """The leases of one worker's jobs, each `lease` long."""

    def __init__(self, source: JobSource, lease: timedelta, metrics: WorkerMetrics) -> None:
        self._source = source
        self._lease = lease
        self._whole = lease.total_seconds()
        self._metrics = metrics
        self._least_age = float("inf")
        self._held: dict[int, HeldJob] = {}

    def hold(self, job: Job, *, is_fresh: bool = False) -> HeldJob | None:
        """Takes care of the job's lease until `release`; None where there is nothing to do.

        That is so where the lease was over before the job got here, and where the job is in hand already: its lease ran
        out while the engine was away, and the engine gave it to us once more. The work that goes on has the new lease.
        One that comes again with time left was failed by us, and the engine's answer to that is still on its way.

        A job that waited in a stream's buffers has used up a part of its lease. How much cannot be read off the clocks
        of two machines; but the youngest job ever seen tells how far apart they are. A job that was asked for just now
        (`is_fresh`) cannot have waited: where it seems to have, a clock was set, and the comparison begins anew.
        """
        age = (datetime.now(UTC) - (job.deadline - self._lease)).total_seconds()
        is_clock_set = is_fresh and age - self._least_age >= self._whole
        self._least_age = age if is_clock_set else min(self._least_age, age)
        spent = age - self._least_age
        if spent >= self._whole:
            _log.info("job %s came after its lease was over; somebody else has it", job.key)
            self._metrics.count("stale")
            return None
        ends_at = time.monotonic() + self._whole - spent
        known = self._held.get(job.key)
        if known is not None and known.seconds_left() < self._whole * OVER_SOON:
            known.ends_at = ends_at
            return None
        held = self._held[job.key] = HeldJob(job, ends_at)
        self._renew_after(held, max(0.0, self._whole * RENEW_AT - spent))
        return held

    def release(self, held: HeldJob) -> None:
        """The job is not in hand any more."""
        if self._held.get(held.job.key) is held:
            del self._held[held.job.key]
        if held.timer is not None:
            held.timer.cancel()
        if held.renewing is not None:
            held.renewing.cancel()

    def _renew_after(self, held: HeldJob, seconds: float) -> None:
        held.timer = asyncio.get_running_loop().call_later(seconds, self._start_renewing, held)

    def _start_renewing(self, held: HeldJob) -> None:
        held.renewing = asyncio.create_task(self._renew(held), name=f"renew {held.job.key}")

    async def _renew(self, held: HeldJob) -> None:
        asked_at = time.monotonic()
        try:
            await self._source.renew(held.job, self._lease)
        except EngineNotFound:
            _log.info("job %s (element '%s') is gone; its work is stopped", held.job.key, held.job.element_id)
            held.is_gone = True
            if held.when_gone is not None:
                held.when_gone()
        except EngineError as error:
            _log.warning("the lease of job %s could not be renewed: %s", held.job.key, error)
            self._metrics.not_renewed.inc()
            self._renew_after(held, self._whole * RENEW_AGAIN_AFTER)
        else:
            self._metrics.renewed.inc()
            held.ends_at = asked_at + self._whole
            self._renew_after(held, self._whole * RENEW_AT)
