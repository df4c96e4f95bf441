"""JobSource: take jobs of a type under a lease, and say how each ended."""

from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from typing import Protocol

from procos.model.job import Job, Outcome


class JobSource(Protocol):
    """Where a worker gets its jobs; every method raises a subclass of `EngineError`."""

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
        ...

    def stream(
        self, job_type: str, *, worker: str, lease: timedelta, fetch_variables: Sequence[str] = ()
    ) -> AsyncGenerator[Job, None]:
        """Jobs that the engine pushes as they become available, without end; not those that waited before.

        What is not read is held back by flow control, and its lease goes on meanwhile. Raises `EngineUnsupported` where
        the gateway has no streams. Closing the iterator closes the stream.
        """
        ...

    async def deliver(self, job: Job, outcome: Outcome) -> None:
        """Completes the job, fails it or throws its BPMN error; `EngineNotFound` when the job is gone."""
        ...

    async def renew(self, job: Job, lease: timedelta) -> None:
        """Sets the job's lease to end `lease` from now."""
        ...
