"""A worker: takes the jobs of one TDE's type, as many as it has slots, and sees each to its end."""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from procos.errors import EngineError, EngineNotFound
from procos.model.job import Completed, ErrorThrown, Failed, Job, Outcome
from procos.ports.jobs import JobSource
from procos.runtime.delivery import deliver
from procos.runtime.execution import Execution

POLL_WAIT: Final = timedelta(seconds=30)
"""How long the engine holds a request that finds no job."""
RENEW_AT: Final = 0.6
"""The part of a lease after which it is renewed."""
RENEW_AGAIN_AFTER: Final = 0.05
"""The part of a lease after which a renewal that failed is tried again, so that there are several before it is over."""

_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 5.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class WorkerCounts:
    """What a worker has done since it started; `completed` and the others count jobs."""

    completed: int = 0
    failed: int = 0
    errors_thrown: int = 0
    handed_back: int = 0


@dataclass(slots=True)
class _Lease:
    """One job in hand and the moment (monotonic, seconds) at which its lease is over."""

    job: Job
    ends_at: float
    is_gone: bool = False

    def seconds_left(self) -> float:
        return self.ends_at - time.monotonic()


@dataclass(kw_only=True)
class Worker:
    """Runs until `drain` is called; a gateway that is away is waited for without end."""

    execution: Execution
    source: JobSource
    name: str
    slots: int = 32
    lease: timedelta = timedelta(seconds=60)
    hand_back_within: timedelta = timedelta(seconds=5)
    counts: WorkerCounts = field(default_factory=WorkerCounts)
    _running: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _slot_freed: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _draining: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _polling: asyncio.Task[None] | None = field(default=None, init=False)
    _grace_over: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    @property
    def job_type(self) -> str:
        """The job type that this worker takes."""
        return self.execution.tde.job_type

    @property
    def jobs_in_hand(self) -> int:
        """How many jobs are running now."""
        return len(self._running)

    async def run(self) -> None:
        """Takes and runs jobs until drained."""
        if self._draining.is_set():
            return
        self._polling = polling = asyncio.create_task(self._poll(), name=f"poll {self.job_type}")
        draining = asyncio.create_task(self._draining.wait())
        try:
            await asyncio.wait({polling, draining}, return_when=asyncio.FIRST_COMPLETED)
            if polling.done():
                await polling
        finally:
            polling.cancel()
            draining.cancel()
            await asyncio.gather(polling, draining, return_exceptions=True)

    async def drain(self, grace: timedelta) -> None:
        """Takes no more jobs, lets running ones finish within `grace`, hands the rest back with retries unchanged."""
        self._draining.set()
        if self._polling is not None:
            await asyncio.wait({self._polling})
        await self._wait_for_jobs(grace)
        self._grace_over.set()
        await self._wait_for_jobs(self.hand_back_within)
        late = list(self._running)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _wait_for_jobs(self, longest: timedelta) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=longest.total_seconds())

    async def _poll(self) -> None:
        wait = _FIRST_WAIT_S
        away = False
        while True:
            await self._free_slot()
            try:
                await self._take()
            except Exception as error:  # noqa: BLE001 - no answer, however odd, may leave a job type without its worker
                if not away:
                    defect = None if isinstance(error, EngineError) else error
                    _log.warning("worker for '%s' waits for the engine: %s", self.job_type, error, exc_info=defect)
                away = True
                await asyncio.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 - not for secrecy
                wait = min(wait * 2, _LONGEST_WAIT_S)
                continue
            if away:
                _log.info("worker for '%s' is back at work", self.job_type)
            wait, away = _FIRST_WAIT_S, False

    async def _take(self) -> None:
        asking = asyncio.create_task(
            self.source.activate(
                self.job_type,
                worker=self.name,
                max_jobs=self.slots - len(self._running),
                lease=self.lease,
                fetch_variables=self.execution.fetch_variables,
                wait=POLL_WAIT,
            )
        )
        try:
            await asyncio.wait({asking})
        finally:  # also when cancelled: jobs that came in that very moment are leased to us already
            if not asking.done():
                asking.cancel()
                await asyncio.wait({asking})
            if not asking.cancelled() and asking.exception() is None:
                for job in asking.result():
                    self._start(job)
        await asking

    async def _free_slot(self) -> None:
        while len(self._running) >= self.slots:
            self._slot_freed.clear()
            await self._slot_freed.wait()

    def _start(self, job: Job) -> None:
        task = asyncio.create_task(self._work(job), name=f"job {job.key}")
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._slot_freed.set()
        if not task.cancelled() and (error := task.exception()):
            _log.error("%s broke the worker for '%s'", task.get_name(), self.job_type, exc_info=error)

    async def _work(self, job: Job) -> None:
        lease = _Lease(job, time.monotonic() + self.lease.total_seconds())
        running = asyncio.create_task(self.execution.run(job))
        renewing = asyncio.create_task(self._renew(lease, running))
        grace_over = asyncio.create_task(self._grace_over.wait())
        try:
            await asyncio.wait({running, grace_over}, return_when=asyncio.FIRST_COMPLETED)
            running.cancel()  # does nothing to work that is done
            await asyncio.wait({running})
        finally:
            for task in (running, renewing, grace_over):
                task.cancel()
            await asyncio.gather(renewing, grace_over, return_exceptions=True)
        if lease.is_gone:
            return
        if running.cancelled():
            await self._hand_back(lease)
        else:
            self._count(await deliver(self.source, job, running.result(), seconds_left=self._seconds_left(lease)))

    async def _renew(self, lease: _Lease, running: asyncio.Task[Outcome]) -> None:
        whole = self.lease.total_seconds()
        wait = whole * RENEW_AT
        while True:
            await asyncio.sleep(wait)
            asked_at = time.monotonic()
            try:
                await self.source.renew(lease.job, self.lease)
            except EngineNotFound:
                _log.info("job %s (element '%s') is gone; its work is stopped", lease.job.key, lease.job.element_id)
                lease.is_gone = True
                running.cancel()
                return
            except EngineError as error:
                _log.warning("the lease of job %s could not be renewed: %s", lease.job.key, error)
                wait = whole * RENEW_AGAIN_AFTER
            else:
                lease.ends_at = asked_at + whole
                wait = whole * RENEW_AT

    def _seconds_left(self, lease: _Lease) -> Callable[[], float]:
        """What is left of the lease, and once the drain's grace is over, of the time for handing back."""
        given_up_at = float("inf")

        def seconds_left() -> float:
            nonlocal given_up_at
            if self._grace_over.is_set():
                given_up_at = min(given_up_at, time.monotonic() + self.hand_back_within.total_seconds())
            return min(lease.seconds_left(), given_up_at - time.monotonic())

        return seconds_left

    async def _hand_back(self, lease: _Lease) -> None:
        back = Failed("handed back: the worker is stopping", retries=lease.job.retries)
        if await deliver(self.source, lease.job, back, seconds_left=self._seconds_left(lease)):
            self.counts.handed_back += 1

    def _count(self, outcome: Outcome | None) -> None:
        match outcome:
            case Completed():
                self.counts.completed += 1
            case Failed():
                self.counts.failed += 1
            case ErrorThrown():
                self.counts.errors_thrown += 1
