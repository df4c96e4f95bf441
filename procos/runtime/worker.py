"""A worker: takes the jobs of one TDE's type, as many as it has slots, and sees each to its end."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final

from procos.model.job import Job, Outcome
from procos.ports.jobs import JobSource
from procos.runtime.attempt import Attempt
from procos.runtime.execution import Execution
from procos.runtime.journal import Journal
from procos.runtime.leases import HeldJob, Leases
from procos.runtime.outbox import Outbox, WorkerCounts
from procos.runtime.poller import JobQuery, Poller
from procos.runtime.room import Room
from procos.runtime.stream_reader import StreamReader
from procos.telemetry.metrics import WorkerMetrics

HAND_BACK_AFTER_S: Final = 2.0
"""A job that waited so long for a slot goes back to the engine, for another worker that has one."""
_LAST_MOMENT_S = 0.5
_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Worker:
    """Runs until `drain` is called; a gateway that is away is waited for without end.

    `slots` is how many functions run at the same time; without a `journal`, outcomes are known to this process only.
    """

    execution: Execution
    source: JobSource
    name: str
    slots: int = 32
    lease: timedelta = timedelta(seconds=60)
    streams: bool = True
    journal: Journal | None = None
    hand_back_within: timedelta = timedelta(seconds=5)
    _room: Room = field(init=False)
    _poller: Poller = field(init=False)
    _stream: StreamReader = field(init=False)
    _leases: Leases = field(init=False)
    _outbox: Outbox = field(init=False)
    _metrics: WorkerMetrics = field(init=False)
    _ready: deque[HeldJob] = field(default_factory=deque, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _handlers: dict[asyncio.Task[None], Attempt] = field(default_factory=dict, init=False)
    _clearing: asyncio.TimerHandle | None = field(default=None, init=False)
    _intake: list[asyncio.Task[None]] = field(default_factory=list, init=False)
    _draining: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _grace_over: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        query = JobQuery(
            job_type=self.job_type, worker=self.name, lease=self.lease, fetch_variables=self.execution.fetch_variables
        )
        self._room = Room(self.slots)
        self._metrics = metrics = WorkerMetrics(self.job_type)
        self._leases = Leases(self.source, self.lease, metrics)
        self._poller = Poller(
            source=self.source, query=query, room=self._room, accept=partial(self._accept, are_fresh=True)
        )
        self._stream = StreamReader(
            source=self.source, query=query, room=self._room, accept=self._accept, metrics=metrics,
            polling_found_at=lambda: self._poller.found_at,
        )  # fmt: skip
        self._outbox = Outbox(
            source=self.source, room=self._room, metrics=metrics, journal=self.journal,
            hand_back_within=self.hand_back_within, draining=self._draining, grace_over=self._grace_over,
        )  # fmt: skip
        metrics.show(slots=self.slots, running=lambda: self._room.busy, in_hand=lambda: self.jobs_in_hand)

    @property
    def job_type(self) -> str:
        """The job type that this worker takes."""
        return self.execution.tde.job_type

    @property
    def counts(self) -> WorkerCounts:
        """What this worker has done since it started."""
        return self._outbox.counts

    @property
    def jobs_in_hand(self) -> int:
        """How many jobs are leased to this worker now: waiting for a slot, running, or being delivered."""
        return len(self._ready) + len(self._tasks)

    @property
    def trouble(self) -> str | None:
        """Why no jobs come in, None when they may."""
        if self._draining.is_set():
            return "it is stopping"
        if not self._intake:
            return "it has not started"
        if any(task.done() for task in self._intake):
            return "its intake has ended"
        return self._poller.trouble

    async def run(self) -> None:
        """Takes and runs jobs until drained."""
        if self._draining.is_set():
            return
        self._intake = [asyncio.create_task(self._poller.run(), name=f"poll {self.job_type}")]
        if self.streams:
            self._intake.append(asyncio.create_task(self._stream.run(), name=f"stream {self.job_type}"))
        draining = asyncio.create_task(self._draining.wait())
        try:
            await asyncio.wait({*self._intake, draining}, return_when=asyncio.FIRST_COMPLETED)
            if not self._draining.is_set():
                await asyncio.gather(*(task for task in self._intake if task.done()))
            await self._end_intake()
        finally:
            for task in (*self._intake, draining):
                task.cancel()
            await asyncio.gather(*self._intake, draining, return_exceptions=True)

    async def drain(self, grace: timedelta) -> None:
        """Takes no more jobs, lets running ones finish within `grace`, hands the rest back with retries unchanged."""
        self._draining.set()
        await self._end_intake()
        self._hand_back_ready(older_than_s=0)
        await self._wait_for_jobs(grace)
        self._grace_over.set()
        for task, attempt in self._handlers.items():
            attempt.is_gone = True
            task.cancel()
        await self._wait_for_jobs(self.hand_back_within)
        late = list(self._tasks)
        for task in late:
            task.cancel()
        if late:
            _, deaf = await asyncio.wait(late, timeout=_LAST_MOMENT_S)
            for task in deaf:
                _log.warning("%s of '%s' cannot be stopped; it is left to itself", task.get_name(), self.job_type)
            self._tasks.difference_update(deaf)
        if self.journal is not None:
            await self.journal.settle_for(self.hand_back_within.total_seconds())

    async def _end_intake(self) -> None:
        self._stream.end()
        for task in self._intake[:1]:
            if not task.cancelling():  # a second time would cut off what it does at its end
                task.cancel()
        if self._intake:
            await asyncio.wait(self._intake)

    async def _wait_for_jobs(self, longest: timedelta) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=longest.total_seconds())

    # From the intake to a slot

    def _accept(self, jobs: Sequence[Job], *, are_fresh: bool = False) -> None:
        for job in jobs:
            held = self._leases.hold(job, is_fresh=are_fresh)
            if held is not None:
                self._ready.append(held)
        self._fill_slots()
        if self._ready and self._clearing is None:
            self._clearing = asyncio.get_running_loop().call_later(HAND_BACK_AFTER_S, self._clear)

    def _fill_slots(self) -> None:
        while self._ready and self._room.busy < self.slots and not self._draining.is_set():
            held = self._ready.popleft()
            if held.is_gone:
                self._leases.release(held)
                self._metrics.count("gone")
                continue
            self._room.busy += 1
            self._start(self._work(held), held)
        self._room.ready = len(self._ready)
        self._room.tell()

    def _clear(self) -> None:
        self._clearing = None
        self._hand_back_ready(older_than_s=HAND_BACK_AFTER_S)
        if self._ready:
            self._clearing = asyncio.get_running_loop().call_later(HAND_BACK_AFTER_S / 2, self._clear)

    def _hand_back_ready(self, *, older_than_s: float) -> None:
        limit = time.monotonic() - older_than_s
        while self._ready and self._ready[0].arrived_at <= limit:
            held = self._ready.popleft()
            self._start(self._outbox.hand_back(held, "no slot is free"), held)
        self._room.ready = len(self._ready)
        self._room.tell()

    def _start(self, work: Coroutine[Any, Any, None], held: HeldJob) -> None:
        task = asyncio.create_task(work, name=f"job {held.job.key}")
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, held))

    def _ended(self, held: HeldJob, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._leases.release(held)
        if not task.cancelled() and (error := task.exception()):
            _log.error("%s broke the worker for '%s'", task.get_name(), self.job_type, exc_info=error)

    # From a slot to the engine

    async def _work(self, held: HeldJob) -> None:
        attempt, outcome = await self._in_slot(held)
        if held.is_gone:
            self._metrics.count("gone")
            self._outbox.forget(held)
        elif outcome is None:
            await self._outbox.hand_back(held, "the worker is stopping")
        else:
            await self._outbox.send(held, attempt, outcome)

    async def _in_slot(self, held: HeldJob) -> tuple[Attempt, Outcome | None]:
        """Runs the job, or finds its outcome in the ledger; no outcome where it was cancelled."""
        try:
            attempt, outcome = await self._recall(held.job)
            if outcome is not None:
                self._outbox.counts.replayed += 1
                self._metrics.count("replayed")
                return attempt, outcome
            return attempt, await self._run(held, attempt)
        finally:
            self._room.busy -= 1
            self._fill_slots()

    async def _recall(self, job: Job) -> tuple[Attempt, Outcome | None]:
        """The attempt that this is, and the outcome of an earlier one that the engine has not heard of."""
        if self.journal is None:
            return Attempt.without_ledger(job), None
        entry = await self.journal.recall(job.key)
        if entry is None:
            return Attempt(job), None
        return Attempt(job, failures=entry.failures, progress=entry.progress), entry.outcome

    async def _run(self, held: HeldJob, attempt: Attempt) -> Outcome | None:
        if self._is_stopped(held):
            return None
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - every coroutine runs in one

        def stop() -> None:
            attempt.is_gone = True
            task.cancel()

        if self.journal is not None:
            attempt.on_progress = self._keeper()
        held.when_gone = stop
        self._handlers[task] = attempt
        started = time.monotonic()
        try:
            outcome = await self.execution.run(held.job, attempt)
        except asyncio.CancelledError:
            if not self._is_stopped(held):
                raise
            task.uncancel()
            return None
        finally:
            held.when_gone = None
            self._handlers.pop(task, None)
            seconds = time.monotonic() - started
            self._metrics.job_seconds.observe(seconds)
            self._room.took(seconds)
        return outcome

    def _is_stopped(self, held: HeldJob) -> bool:
        return held.is_gone or self._grace_over.is_set()

    def _keeper(self) -> Callable[[Attempt], None]:
        loop, journal = asyncio.get_running_loop(), self.journal
        assert journal is not None  # noqa: S101 - asked for only where there is one

        def keep(attempt: Attempt) -> None:
            loop.call_soon_threadsafe(journal.keep, attempt.entry())

        return keep
