"""The jobs of a FakeEngine: who may take them, who holds them, and until when."""

import copy
import heapq
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from procos.model.job import Job
from procos.testing.clock import Clock
from procos.testing.engine.state import ElementInstance

JobState = Literal["activatable", "activated", "failed", "error thrown"]


@dataclass(eq=False, slots=True)
class JobEntry:
    """A job; `until` is the end of its lease, or of its backoff when it has failed."""

    key: int
    type: str
    holder: ElementInstance
    retries: int
    headers: Mapping[str, str]
    state: JobState = "activatable"
    until: datetime | None = None
    worker: str = ""


@dataclass(eq=False, slots=True)
class JobStream:
    """Somebody who gets jobs pushed."""

    job_type: str
    worker: str
    lease: timedelta
    fetch_variables: Sequence[str]
    pushed: deque[Job] = field(default_factory=deque)


class JobBoard:
    """All jobs that are not ended; what becomes free goes to a stream at once, where there is one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[int, JobEntry] = {}
        self._activatable: dict[str, dict[int, JobEntry]] = defaultdict(dict)
        self._timed: dict[int, JobEntry] = {}
        self._streams: deque[JobStream] = deque()
        self.activations: list[int] = []

    def get(self, key: int) -> JobEntry | None:
        """The job, as long as it has not ended."""
        return self._entries.get(key)

    def add(self, entry: JobEntry) -> None:
        """A new job."""
        self._entries[entry.key] = entry
        entry.holder.job_key = entry.key
        if entry.retries > 0:
            self._free(entry)
        else:
            self._set(entry, "failed", None)

    def remove(self, key: int) -> None:
        """The job has ended."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._timed.pop(key, None)
            self._activatable[entry.type].pop(key, None)
            entry.holder.job_key = None

    def stop(self, entry: JobEntry) -> None:
        """The job threw an error that nobody caught: it stays, and nobody gets it."""
        self._set(entry, "error thrown", None)

    def fail(self, entry: JobEntry, retries: int, backoff: timedelta) -> None:
        """Takes the job from its worker; it is free again after `backoff` while retries remain."""
        entry.retries = retries
        if retries > 0 and backoff <= timedelta(0):
            self._free(entry)
        else:
            self._set(entry, "failed", self._clock.now() + backoff if retries > 0 else None)

    def settle(self) -> None:
        """Ends every lease and every backoff whose time is over."""
        now = self._clock.now()
        for entry in list(self._timed.values()):
            if entry.until is not None and entry.until <= now:
                self._free(entry)

    def next_change(self) -> datetime | None:
        """When the next lease or backoff is over."""
        return min((entry.until for entry in self._timed.values() if entry.until is not None), default=None)

    def take(
        self, job_type: str, *, worker: str, max_jobs: int, lease: timedelta, fetch_variables: Sequence[str]
    ) -> list[Job]:
        """Leases free jobs, the oldest first."""
        free = self._activatable[job_type]
        oldest = heapq.nsmallest(max(max_jobs, 0), free)
        return [self._lease(free[key], worker, lease, fetch_variables) for key in oldest]

    def renew(self, entry: JobEntry, lease: timedelta) -> None:
        """The lease ends `lease` from now."""
        self._set(entry, entry.state, self._clock.now() + lease)

    def open(self, stream: JobStream) -> None:
        """From now on `stream` gets what becomes free."""
        self._streams.append(stream)

    def close(self, stream: JobStream) -> None:
        """`stream` gets no more."""
        if stream in self._streams:
            self._streams.remove(stream)

    def _free(self, entry: JobEntry) -> None:
        entry.worker = ""
        self._set(entry, "activatable", None)
        self._offer(entry)

    def _set(self, entry: JobEntry, state: JobState, until: datetime | None) -> None:
        entry.state, entry.until = state, until
        for index, belongs in (
            (self._activatable[entry.type], state == "activatable"),
            (self._timed, until is not None),
        ):
            if belongs:
                index[entry.key] = entry
            else:
                index.pop(entry.key, None)

    def _offer(self, entry: JobEntry) -> None:
        for stream in self._streams:
            if stream.job_type == entry.type:
                stream.pushed.append(self._lease(entry, stream.worker, stream.lease, stream.fetch_variables))
                self._streams.remove(stream)
                self._streams.append(stream)  # the next job goes to another stream
                return

    def _lease(self, entry: JobEntry, worker: str, lease: timedelta, fetch_variables: Sequence[str]) -> Job:
        entry.worker, deadline = worker, self._clock.now() + lease
        self._set(entry, "activated", deadline)
        self.activations.append(entry.key)
        running, definition = entry.holder.running, entry.holder.running.definition.deployed
        seen = entry.holder.visible()
        names = [name for name in seen if not fetch_variables or name in fetch_variables]
        return Job(
            key=entry.key,
            type=entry.type,
            process_instance_key=running.key,
            process_definition_id=definition.id,
            process_definition_key=definition.key,
            process_definition_version=definition.version,
            element_id=entry.holder.element_id,
            element_instance_key=entry.holder.key,
            retries=entry.retries,
            deadline=deadline,
            variables=copy.deepcopy({name: seen[name] for name in names}),
            custom_headers=dict(entry.headers),
            tenant_id="<default>",
            worker=worker,
        )
