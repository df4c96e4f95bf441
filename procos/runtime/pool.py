"""All workers of one process: started together, counted together, drained together."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from procos.model.kernel_state import WorkerReport
from procos.runtime.worker import Worker
from procos.sdk.registration import Tde

_log = logging.getLogger(__name__)


class WorkerPool:
    """Workers made by `make_worker`, one for each TDE; it gets the TDE and the lease, None for the usual one."""

    def __init__(self, make_worker: Callable[[Tde[..., Any], timedelta | None], Worker]) -> None:
        self._make_worker = make_worker
        self._workers: dict[str, Worker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, tdes: Sequence[Tde[..., Any]], *, lease: timedelta | None = None) -> None:
        """Starts a worker for each of `tdes`, and one for its undo where it has one."""
        for tde in with_undo(tdes):
            worker = self._make_worker(tde, lease)
            self._workers[tde.job_type] = worker
            task = asyncio.create_task(worker.run(), name=f"worker {tde.job_type}")
            task.add_done_callback(_report_end)
            self._tasks[tde.job_type] = task

    async def drain(self, grace: timedelta, job_types: Sequence[str] | None = None) -> None:
        """Stops all workers, or those of `job_types`: no new jobs, `grace` for running ones, the rest handed back."""
        chosen = list(self._workers) if job_types is None else list(job_types)
        await asyncio.gather(*(self._workers[job_type].drain(grace) for job_type in chosen))
        await asyncio.gather(*(self._tasks[job_type] for job_type in chosen), return_exceptions=True)
        # Only now: a drain that was cancelled on the way can be repeated.
        for job_type in chosen:
            del self._workers[job_type], self._tasks[job_type]

    def troubles(self) -> dict[str, str]:
        """Why which job type's worker takes no jobs; that there is no worker at all is a trouble too."""
        if not self._workers:
            return {"workers": "none has started"}
        found = {job_type: worker.trouble for job_type, worker in list(self._workers.items())}
        return {job_type: trouble for job_type, trouble in found.items() if trouble is not None}

    def reports(self) -> tuple[WorkerReport, ...]:
        """Every worker in numbers."""
        return tuple(
            WorkerReport(
                job_type=worker.job_type,
                in_hand=worker.jobs_in_hand,
                completed=worker.counts.completed,
                failed=worker.counts.failed,
                errors_thrown=worker.counts.errors_thrown,
                replayed=worker.counts.replayed,
            )
            for worker in self._workers.values()
        )


def with_undo(tdes: Iterable[Tde[..., Any]]) -> list[Tde[..., Any]]:
    """The TDEs, and those that undo what they did."""
    return [one for tde in tdes for one in (tde, tde.undo) if one]


def _report_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        _log.error("%s stopped", task.get_name(), exc_info=error)
