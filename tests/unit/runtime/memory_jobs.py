"""The JobSource port in memory, with leases, retries, incidents, and faults on demand."""

import asyncio
import itertools
import json
import time
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from procos.errors import EngineError, EngineNotFound, EngineRejected, EngineUnavailable
from procos.model.job import Completed, ErrorThrown, Failed, Job, Outcome

Method = Literal["activate", "stream", "deliver", "renew"]
_LONGEST_TEST_WAIT_S = 10


@dataclass(slots=True)
class _Entry:
    """A job and what the source knows of it; times are monotonic seconds."""

    job: Job
    lease_ends: float | None = None
    backoff_ends: float = 0.0
    incident: str | None = None

    def free_at(self) -> float:
        """The moment from which it can be taken."""
        if self.incident is not None:
            return float("inf")
        return self.backoff_ends if self.lease_ends is None else self.lease_ends


@dataclass
class MemoryJobs:
    """Jobs like Zeebe's: a lease that is over makes a job free again, no retries left make an incident.

    As in Zeebe, a job whose lease is over can still be completed while nobody else has completed it.
    """

    largest_result: int = 4 * 1024**2
    completed: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    failures: list[tuple[int, Failed]] = field(default_factory=list)
    thrown: list[tuple[int, ErrorThrown]] = field(default_factory=list)
    activations: list[int] = field(default_factory=list)
    renewals: list[int] = field(default_factory=list)
    calls: list[Method] = field(default_factory=list)
    is_away: bool = False
    streams_are_silent: bool = False
    _entries: dict[int, _Entry] = field(default_factory=dict)
    _faults: dict[Method, deque[tuple[EngineError, bool]]] = field(default_factory=lambda: defaultdict(deque))
    _keys: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    # What a test does

    def add(
        self, job_type: str, *, retries: int = 3, headers: Mapping[str, str] | None = None, **variables: Any
    ) -> int:
        """Makes a job; returns its key."""
        key = next(self._keys)
        job = Job(
            key=key,
            type=job_type,
            process_instance_key=1000 + key,
            process_definition_id="order",
            process_definition_key=1,
            process_definition_version=1,
            element_id="Task_1",
            element_instance_key=2000 + key,
            retries=retries,
            deadline=datetime.now(UTC),
            variables=variables,
            custom_headers=dict(headers or {}),
        )
        self._entries[key] = _Entry(job)
        self._tell()
        return key

    def cancel(self, key: int) -> None:
        """The job's process instance is cancelled: nobody knows the job any more."""
        del self._entries[key]
        self._tell()

    def refuse(self, method: Method, error: EngineError, *, times: int = 1) -> None:
        """The next calls of `method` raise `error` and do nothing."""
        self._faults[method].extend([(error, False)] * times)

    def lose_answer(self, method: Method, error: EngineError) -> None:
        """The next call of `method` is done, but its caller gets `error`."""
        self._faults[method].append((error, True))

    def go_away(self) -> None:
        """No call gets through, and those that wait are cut, until `come_back`."""
        self.is_away = True
        self._tell()

    def come_back(self) -> None:
        """Calls get through again."""
        self.is_away = False
        self._tell()

    async def until(self, condition: Callable[[], object]) -> None:
        """Waits until `condition` holds; it is looked at whenever something happened here."""
        async with asyncio.timeout(_LONGEST_TEST_WAIT_S):
            while not condition():
                await self._changed.wait()

    @property
    def incidents(self) -> dict[int, str]:
        """The messages of incidents by job key."""
        return {key: entry.incident for key, entry in self._entries.items() if entry.incident is not None}

    def retries_of(self, key: int) -> int:
        """The retries that the job has left."""
        return self._entries[key].job.retries

    # The port

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
        """Takes up to `max_jobs` free jobs, waiting up to `wait` for the first."""
        give_up_at = time.monotonic() + wait.total_seconds()
        lost = self._begin("activate")
        while True:
            self._check_reachable()
            taken = [self._lease(entry, worker, lease) for entry in self._free(job_type)[:max_jobs]]
            if lost is not None:
                raise lost
            if taken or time.monotonic() >= give_up_at:
                return [_with_only(job, fetch_variables) for job in taken]
            await self._something_happens(min(give_up_at, self._next_free(job_type)))

    async def stream(
        self, job_type: str, *, worker: str, lease: timedelta, fetch_variables: Sequence[str] = ()
    ) -> AsyncGenerator[Job, None]:
        """Jobs that become available from now on; the engine holds back what nobody reads."""
        self._begin("stream")
        waited_before = {entry.job.key for entry in self._free(job_type)}
        while True:
            self._check_reachable()
            new = [entry for entry in self._free(job_type) if entry.job.key not in waited_before]
            if self.streams_are_silent or not new:
                await self._something_happens(self._next_free(job_type))
                continue
            yield _with_only(self._lease(new[0], worker, lease), fetch_variables)

    async def deliver(self, job: Job, outcome: Outcome) -> None:
        """Completes the job, fails it or throws its BPMN error."""
        lost = self._begin("deliver")
        await asyncio.sleep(0)
        entry = self._known(job)
        if entry.incident is not None or entry.backoff_ends > time.monotonic():
            raise EngineRejected("cannot deliver", reason=f"job {job.key} is in state FAILED")
        match outcome:
            case Completed(variables):
                self._check_size(variables)
                self.completed[job.key] = json.loads(json.dumps(variables, allow_nan=False))
                del self._entries[job.key]
            case Failed():
                self._fail(entry, outcome)
            case ErrorThrown(variables=variables):
                self._check_size(variables)
                self.thrown.append((job.key, outcome))
                del self._entries[job.key]
        self._tell()
        if lost is not None:
            raise lost

    async def renew(self, job: Job, lease: timedelta) -> None:
        """Sets the job's lease to end `lease` from now."""
        lost = self._begin("renew")
        await asyncio.sleep(0)
        self._known(job).lease_ends = time.monotonic() + lease.total_seconds()
        self.renewals.append(job.key)
        self._tell()
        if lost is not None:
            raise lost

    # Within

    def _begin(self, method: Method) -> EngineError | None:
        """Raises a fault that is due; returns one that is due after the work is done."""
        self.calls.append(method)
        self._tell()
        self._check_reachable()
        if not self._faults[method]:
            return None
        error, is_late = self._faults[method].popleft()
        if is_late:
            return error
        raise error

    def _check_reachable(self) -> None:
        if self.is_away:
            raise EngineUnavailable("no engine answers at memory:1", hint="it is a test's own doing")

    def _check_size(self, variables: Mapping[str, Any]) -> None:
        size = len(json.dumps(dict(variables), allow_nan=False))
        if size > self.largest_result:
            reason = f"message exceeds maximum size {self.largest_result}: {size}"
            raise EngineRejected(f"cannot deliver: {reason}", reason=reason)

    def _known(self, job: Job) -> _Entry:
        entry = self._entries.get(job.key)
        if entry is None:
            raise EngineNotFound(f"no job with key {job.key}")
        return entry

    def _free(self, job_type: str) -> list[_Entry]:
        now = time.monotonic()
        return [entry for entry in self._entries.values() if entry.job.type == job_type and entry.free_at() <= now]

    def _next_free(self, job_type: str) -> float:
        return min((entry.free_at() for entry in self._entries.values() if entry.job.type == job_type), default=1e12)

    def _lease(self, entry: _Entry, worker: str, lease: timedelta) -> Job:
        entry.lease_ends = time.monotonic() + lease.total_seconds()
        entry.job = replace(entry.job, worker=worker, deadline=datetime.now(UTC) + lease)
        self.activations.append(entry.job.key)
        self._tell()
        return entry.job

    def _fail(self, entry: _Entry, failed: Failed) -> None:
        entry.job = replace(entry.job, retries=failed.retries)
        entry.lease_ends = None
        entry.backoff_ends = time.monotonic() + failed.backoff.total_seconds()
        if failed.retries == 0:
            entry.incident = failed.message
        self.failures.append((entry.job.key, failed))

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _something_happens(self, moment: float) -> None:
        try:
            async with asyncio.timeout(moment - time.monotonic()):
                await self._changed.wait()
        except TimeoutError:
            return


def _with_only(job: Job, names: Sequence[str]) -> Job:
    if not names:
        return job
    return replace(job, variables={name: value for name, value in job.variables.items() if name in names})
