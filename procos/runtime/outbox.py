"""What a job came to reaches the engine: kept in the ledger, waited with where asked for, delivered, counted."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from procos.model.job import Completed, ErrorThrown, Failed, Outcome
from procos.ports.jobs import JobSource
from procos.runtime.attempt import Attempt
from procos.runtime.delivery import NotDelivered, deliver
from procos.runtime.journal import Journal
from procos.runtime.leases import HeldJob
from procos.runtime.room import Room
from procos.telemetry.metrics import WorkerMetrics

LONGEST_OWN_BACKOFF: Final = timedelta(seconds=10)
"""Shorter waits after a failure are kept here, with the lease, and the engine hears of the failure after them.

Zeebe 8.6.0 was seen to forget under load that a job's backoff is over, until its broker was started again.
"""
MOST_OWN_BACKOFFS: Final = 100


@dataclass(slots=True)
class WorkerCounts:
    """What a worker has done since it started, in jobs; `replayed` had their outcome in the ledger and were not run."""

    completed: int = 0
    failed: int = 0
    errors_thrown: int = 0
    handed_back: int = 0
    replayed: int = 0


@dataclass(kw_only=True)
class Outbox:
    """One worker's results; `draining` ends waits, and after `grace_over` there is `hand_back_within` left."""

    source: JobSource
    room: Room
    metrics: WorkerMetrics
    journal: Journal | None
    hand_back_within: timedelta
    draining: asyncio.Event
    grace_over: asyncio.Event
    counts: WorkerCounts = field(default_factory=WorkerCounts)
    _own_backoffs: int = field(default=0, init=False)

    async def send(self, held: HeldJob, attempt: Attempt, outcome: Outcome) -> None:
        """Sees an outcome through; it is in the ledger until the engine has it."""
        self._keep(attempt, outcome)
        if isinstance(outcome, Failed):
            outcome = await self._wait_here(outcome)
        delivered = await self._deliver(held, outcome)
        self._count(delivered, is_wait=isinstance(outcome, Failed) and not attempt.is_spent)
        if isinstance(delivered, Failed) and not isinstance(outcome, Failed):
            attempt.is_spent = True  # the engine refused the result
            self._keep(attempt, delivered)
        elif not isinstance(delivered, Failed) and delivered is not NotDelivered.LEASE_OVER:
            self.forget(held)

    async def hand_back(self, held: HeldJob, why: str) -> None:
        """Gives a job back for somebody else, its retries unchanged."""
        back = Failed(f"handed back: {why}", retries=held.job.retries)
        if isinstance(await self._deliver(held, back), Failed):
            self.counts.handed_back += 1
            self.metrics.count("handed_back")

    def forget(self, held: HeldJob) -> None:
        """The job is over: nothing has to be known of it any more."""
        if self.journal is not None:
            self.journal.drop(held.job.key)

    def _keep(self, attempt: Attempt, outcome: Outcome) -> None:
        """A failure is only counted: should the engine not hear of it, the job may as well be tried again."""
        if self.journal is not None:
            stored = None if isinstance(outcome, Failed) else outcome
            self.journal.keep(attempt.entry(stored))

    async def _wait_here(self, outcome: Failed) -> Failed:
        """Waits for the end of a short backoff, so that the engine need not; a drain leaves the rest to the engine."""
        is_short = timedelta(0) < outcome.backoff <= LONGEST_OWN_BACKOFF
        if outcome.retries == 0 or not is_short or self._own_backoffs >= MOST_OWN_BACKOFFS:
            return outcome
        over_at = time.monotonic() + outcome.backoff.total_seconds()
        self._own_backoffs += 1
        try:
            async with asyncio.timeout(outcome.backoff.total_seconds()):
                await self.draining.wait()
        except TimeoutError:
            return Failed(outcome.message, outcome.retries)
        finally:
            self._own_backoffs -= 1
        return Failed(outcome.message, outcome.retries, timedelta(seconds=max(0.0, over_at - time.monotonic())))

    async def _deliver(self, held: HeldJob, outcome: Outcome) -> Outcome | NotDelivered:
        started = time.monotonic()
        self.room.delivering += 1
        try:
            return await deliver(
                self.source,
                held.job,
                outcome,
                seconds_left=self._seconds_left(held),
                on_retry=self._on_retry,
            )
        finally:
            self.room.delivering -= 1
            self.room.tell()
            self.metrics.delivery_seconds.observe(time.monotonic() - started)

    def _on_retry(self) -> None:
        self.metrics.delivery_retries.inc()
        if self.journal is not None:
            self.journal.hurry()

    def _seconds_left(self, held: HeldJob) -> Callable[[], float]:
        """What is left of the lease, and once the drain's grace is over, of the time for handing back."""
        given_up_at = float("inf")

        def seconds_left() -> float:
            nonlocal given_up_at
            if self.grace_over.is_set():
                given_up_at = min(given_up_at, time.monotonic() + self.hand_back_within.total_seconds())
            return 0 if held.is_gone else min(held.seconds_left(), given_up_at - time.monotonic())

        return seconds_left

    def _count(self, delivered: Outcome | NotDelivered, *, is_wait: bool) -> None:
        match delivered:
            case Completed():
                self.counts.completed += 1
                self.metrics.count("completed")
            case Failed() if is_wait:
                self.metrics.count("waiting")
            case Failed():
                self.counts.failed += 1
                self.metrics.count("failed")
            case ErrorThrown():
                self.counts.errors_thrown += 1
                self.metrics.count("error_thrown")
            case NotDelivered():
                self.metrics.count(f"not_delivered_{delivered.name.lower()}")
