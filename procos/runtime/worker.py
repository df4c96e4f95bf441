"""A worker: takes the jobs of one TDE's type, as many as it has slots, and sees each to its end."""

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from procos.errors import EngineError, EngineNotFound
from procos.model.job import Completed, Failed, Job
from procos.ports.jobs import JobSource
from procos.runtime.delivery import deliver
from procos.runtime.execution import Execution

POLL_WAIT: Final = timedelta(seconds=30)
"""How long the engine holds a request that finds no job."""
RENEW_AT: Final = 0.6
"""The part of a lease after which it is renewed."""

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
    counts: WorkerCounts = field(default_factory=WorkerCounts)
    _running: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _slot_freed: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _draining: asyncio.Event = field(default_factory=asyncio.Event, init=False)

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
        polling = asyncio.create_task(self._poll(), name=f"poll {self.job_type}")
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
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=grace.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _poll(self) -> None:
        wait = _FIRST_WAIT_S
        away = False
        while True:
            await self._free_slot()
            try:
                jobs = await self.source.activate(
                    self.job_type,
                    worker=self.name,
                    max_jobs=self.slots - len(self._running),
                    lease=self.lease,
                    fetch_variables=self.execution.fetch_variables,
                    wait=POLL_WAIT,
                )
            except EngineError as error:
                if not away:
                    _log.warning("worker for '%s' waits for the engine: %s", self.job_type, error)
                away = True
                await asyncio.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 - not for secrecy
                wait = min(wait * 2, _LONGEST_WAIT_S)
                continue
            if away:
                _log.info("worker for '%s' is back at work", self.job_type)
            wait, away = _FIRST_WAIT_S, False
            for job in jobs:
                self._start(job)

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
        try:
            outcome = await asyncio.shield(running)
        except asyncio.CancelledError:
            if running.cancelled():  # by the renewal: the engine no longer knows the job
                return
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await self._hand_back(lease)
            raise
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
        await deliver(self.source, job, outcome, seconds_left=lease.seconds_left)
        self._count(outcome)

    async def _renew(self, lease: _Lease, running: asyncio.Task[object]) -> None:
        while True:
            await asyncio.sleep(self.lease.total_seconds() * RENEW_AT)
            asked_at = time.monotonic()
            try:
                await self.source.renew(lease.job, self.lease)
            except EngineNotFound:
                _log.info("job %s (element '%s') is gone; its work is stopped", lease.job.key, lease.job.element_id)
                running.cancel()
                return
            except EngineError as error:
                _log.warning("the lease of job %s could not be renewed: %s", lease.job.key, error)
            else:
                lease.ends_at = asked_at + self.lease.total_seconds()

    async def _hand_back(self, lease: _Lease) -> None:
        back = Failed("handed back: the worker is stopping", retries=lease.job.retries)
        if await deliver(self.source, lease.job, back, seconds_left=lambda: min(lease.seconds_left(), _LONGEST_WAIT_S)):
            self.counts.handed_back += 1

    def _count(self, outcome: object) -> None:
        if isinstance(outcome, Completed):
            self.counts.completed += 1
        elif isinstance(outcome, Failed):
            self.counts.failed += 1
        else:
            self.counts.errors_thrown += 1
