"""An unclaimed task is handed over: tagged, and given to a task run of its own by message."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from procos.errors import EngineError, EngineNotFound, EngineRejected, StoreError
from procos.kernel.heartbeat.options import DETECTED_MESSAGE, HeartbeatOptions, iso
from procos.kernel.heartbeat.patience import insist
from procos.kernel.heartbeat.tagging import CORRELATION_VARIABLE, Tagger
from procos.model.job import Failed, Job
from procos.model.task import Task
from procos.ports.engine import Engine
from procos.ports.jobs import JobSource

Shrink = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Replaces what is too large for a message by references to the object store."""

_AT_ONCE: Final = 32
_LEAVE_S: Final = 2.0
"""A job whose lease has no more than this left is not worth trying for: the next scan finds it again."""
_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class HandOver:
    """Publishes one message for each task; the engine starts at most one task run for each job key at a time."""

    engine: Engine
    jobs: JobSource
    tagger: Tagger
    shrink: Shrink
    options: HeartbeatOptions
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE), init=False)

    async def hand_over(self, found: Sequence[Job]) -> int:
        """Hands over freshly leased jobs, and says for how many a task run was asked for.

        What cannot be handed over before its lease is over stays where it is, and is found again.
        """
        taken_at = time.monotonic()
        done = await asyncio.gather(*(self._one(job, taken_at) for job in found))
        return sum(done)

    async def _one(self, job: Job, taken_at: float) -> bool:
        give_up_at = taken_at + self.options.hand_over_lease.total_seconds() - _LEAVE_S
        async with self._room:
            try:
                task = await self.tagger.tag(job)
                variables = await self._message_for(task)
            except StoreError as error:
                _log.warning("job %s is left for the next scan: %s", job.key, error)
                return False
            return await self._publish(job, variables, give_up_at)

    async def _message_for(self, task: Task) -> dict[str, Any]:
        tag = task.model_dump(mode="json")
        tag["inputs"] = await self.shrink(tag["inputs"])
        return {
            "procosTask": tag,
            "procosRenewEvery": iso(self.options.renew_every),
            CORRELATION_VARIABLE: task.correlation_id,
        }

    async def _publish(self, job: Job, variables: Mapping[str, Any], give_up_at: float) -> bool:
        async def publish() -> None:
            # Not buffered: a second message for a job whose task run lives must not start another one later.
            await self.engine.publish_message(DETECTED_MESSAGE, correlation_key=str(job.key), variables=variables)

        try:
            await insist(publish, until=give_up_at)
        except EngineRejected as error:
            await self._refuse(job, error)
        except EngineError as error:
            _log.warning("job %s is left for a later scan: %s", job.key, error)
        else:
            return True
        return False

    async def _refuse(self, job: Job, error: EngineRejected) -> None:
        """The engine will never take this message: an incident at the task says so."""
        message = f"the heartbeat cannot hand this task over: {error.message}"
        try:
            await self.jobs.deliver(job, Failed(message, retries=0))
        except EngineNotFound:
            _log.debug("job %s ended before it could be handed over", job.key)
        except EngineError as late:
            _log.warning("job %s: %s; it is found again, because: %s", job.key, message, late)
