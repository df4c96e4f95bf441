"""The port JobSource of a FakeEngine."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta

from procos.errors import EngineNotFound, EngineRejected
from procos.model.job import Completed, ErrorThrown, Failed, Job, Outcome
from procos.ports.jobs import JobSource
from procos.testing.engine.core import Core
from procos.testing.engine.job_board import JobEntry, JobStream
from procos.testing.engine.variables import as_json


class FakeJobSource(JobSource):
    """Jobs of the instances in `core`, as Zeebe gives them out and takes them back."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.outcomes: list[tuple[int, Outcome]] = []
        self.renewals: list[int] = []

    async def activate(
        self,
        job_type: str,
        *,
        worker: str,
        max_jobs: int,
        lease: timedelta,
        fetch_variables: Sequence[str] = (),
        wait: timedelta = timedelta(0),
    ) -> list[Job]:
        """Takes up to `max_jobs` jobs, waiting up to `wait` for the first; no `fetch_variables` means all."""

        def take() -> list[Job]:
            return self._core.jobs.take(
                job_type, worker=worker, max_jobs=max_jobs, lease=lease, fetch_variables=fetch_variables
            )

        give_up_at = time.monotonic() + wait.total_seconds()
        with self._core.call("activate"):
            _check_request(job_type, lease)
            jobs = take()
        while not jobs and (seconds := give_up_at - time.monotonic()) > 0:
            await self._core.something_happens(seconds)
            self._core.faults.check_reachable()
            jobs = take()
        if jobs:
            self._core.tell()
        return jobs

    async def stream(
        self, job_type: str, *, worker: str, lease: timedelta, fetch_variables: Sequence[str] = ()
    ) -> AsyncGenerator[Job, None]:
        """Jobs that become available from the iterator's first step on; they are leased when they are pushed."""
        stream = JobStream(job_type, worker, lease, fetch_variables)
        with self._core.call("stream"):
            _check_request(job_type, lease)
            self._core.jobs.open(stream)
        try:
            while True:
                self._core.faults.check_reachable()
                if stream.pushed:
                    self._core.tell()
                    yield stream.pushed.popleft()
                else:
                    await self._core.something_happens(None)
        finally:
            self._core.jobs.close(stream)

    async def deliver(self, job: Job, outcome: Outcome) -> None:
        """Completes the job, fails it or throws its BPMN error; `EngineNotFound` when the job is gone."""
        await asyncio.sleep(0)
        with self._core.call("deliver"):
            self._deliver(job, outcome)
            self.outcomes.append((job.key, outcome))

    async def renew(self, job: Job, lease: timedelta) -> None:
        """Sets the job's lease to end `lease` from now."""
        await asyncio.sleep(0)
        with self._core.call("renew"):
            doing = f"renew the lease of job {job.key}"
            entry = self._known(job, doing, "update")
            if entry.state != "activated":
                reason = f"Expected to update the timeout of job with key '{job.key}', but it is not active"
                raise EngineRejected(f"cannot {doing}: {reason}", reason=reason)
            self._core.jobs.renew(entry, lease)
            self.renewals.append(job.key)

    def _deliver(self, job: Job, outcome: Outcome) -> None:
        doing = f"deliver the result of job {job.key}"
        match outcome:
            case Completed(variables):
                given = as_json(variables, doing)
                self._core.interpreter.complete_job(self._ours(job, doing, "complete"), given)
            case Failed(message, retries, backoff):
                entry = self._ours(job, doing, "fail")
                self._core.jobs.fail(entry, retries, backoff)
                if retries <= 0:
                    said = message or "No more retries left."
                    self._core.interpreter.raise_incident(entry.holder, "JOB_NO_RETRIES", said)
            case ErrorThrown(code, message, variables):
                given = as_json(variables, doing)
                entry = self._ours(job, doing, "throw an error for")
                self._core.interpreter.throw_error(entry, code, message, given)

    def _ours(self, job: Job, doing: str, command: str) -> JobEntry:
        """The job, if it can be delivered: also when its lease is over, while nobody else has delivered it."""
        entry = self._known(job, doing, command)
        if entry.state in {"activated", "activatable"}:
            return entry
        state = entry.state.upper().replace(" ", "_")
        raise EngineNotFound(
            f"job {job.key} is no longer ours: Expected to {command} job with key '{job.key}', "
            f"but it is in state '{state}'"
        )

    def _known(self, job: Job, doing: str, command: str) -> JobEntry:
        entry = self._core.jobs.get(job.key)
        if entry is None:
            raise EngineNotFound(
                f"cannot {doing}: Expected to {command} job with key '{job.key}', but no such job was found"
            )
        return entry


def _check_request(job_type: str, lease: timedelta) -> None:
    expected = "Expected to activate job batch with "
    if not job_type.strip():
        reason = f"{expected}type to be present, but it was blank"
    elif lease <= timedelta(0):
        reason = f"{expected}timeout to be greater than zero, but it was '{round(lease.total_seconds() * 1000)}'"
    else:
        return
    raise EngineRejected(f"cannot take jobs of type '{job_type}': {reason}", reason=reason)
