"""The job of the parent, for which a task run works: its lease kept, its outcome delivered."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from procos.errors import (
    EngineError,
    EngineNotFound,
    EngineOverloaded,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    RetryLater,
)
from procos.kernel.heartbeat.options import HeartbeatOptions
from procos.kernel.heartbeat.patience import insist
from procos.model.job import Failed, Job, Outcome
from procos.model.task import Task
from procos.ports.jobs import JobSource

_AGAIN_AFTER: Final = timedelta(seconds=1)
_AWAY: Final = (EngineUnavailable, EngineOverloaded, EngineTimeout)


@dataclass(frozen=True, kw_only=True)
class Parents:
    """Parents' jobs on one engine; where the engine is away for now, `RetryLater` is raised and no retry is used."""

    jobs: JobSource
    options: HeartbeatOptions

    async def is_there(self, task: Task) -> bool:
        """Whether the parent still waits for the task; its lease begins anew."""
        try:
            # Asked again here: a job that comes again costs an overloaded engine more than an answer.
            until = time.monotonic() + self.options.patience.total_seconds()
            await insist(lambda: self.jobs.renew(_job(task), self.options.task_lease), until=until)
        except EngineNotFound:
            return False
        except EngineRejected:
            # Its lease was over before anybody renewed it, and the next scan takes it again, for this same task run.
            return True
        except _AWAY as error:
            raise _later(error) from error
        return True

    async def deliver(self, task: Task, outcome: Outcome) -> bool:
        """Ends the parent's job; False where it has ended already. What the engine refuses is an incident there."""
        try:
            await self.jobs.deliver(_job(task), outcome)
        except EngineNotFound:
            return False
        except EngineRejected as error:
            if isinstance(outcome, Failed):
                raise
            return await self.deliver(task, Failed(f"the result cannot be delivered: {error.message}", retries=0))
        except _AWAY as error:
            raise _later(error) from error
        return True


def _later(error: EngineError) -> RetryLater:
    return RetryLater(error.message, after=_AGAIN_AFTER, keep_retries=True)


def _job(task: Task) -> Job:
    """As much of the job as its key is needed with."""
    return Job(
        key=task.job_key,
        type=task.job_type,
        process_instance_key=task.process_instance_key,
        process_definition_id=task.process_definition_id,
        process_definition_key=task.process_definition_key,
        process_definition_version=task.process_definition_version,
        element_id=task.element_id,
        element_instance_key=task.element_instance_key,
        retries=task.retries,
        deadline=datetime.now(UTC),
        variables={},
        tenant_id=task.tenant_id,
    )
