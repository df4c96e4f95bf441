"""A job's outcome reaches the engine, however often it has to be tried while the lease lasts."""

import asyncio
import enum
import logging
import random
from collections.abc import Callable

from procos.errors import EngineError, EngineNotFound, EngineRejected
from procos.model.job import Completed, Failed, Job, Outcome
from procos.ports.jobs import JobSource

_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 2.0
_log = logging.getLogger(__name__)


class NotDelivered(enum.Enum):
    """Why the engine has nothing in the end."""

    GONE = "the engine does not know the job any more"
    REFUSED = "the engine refused the failure itself"
    LEASE_OVER = "the lease was over before the engine could be told"


async def deliver(
    source: JobSource,
    job: Job,
    outcome: Outcome,
    *,
    seconds_left: Callable[[], float],
    on_retry: Callable[[], None] = lambda: None,
) -> Outcome | NotDelivered:
    """Delivers the outcome; returns what the engine has in the end.

    Backpressure, a gateway that is away and time-outs are tried again until `seconds_left()` of the lease is used up:
    finished work is never failed for them. A job that is gone after such a retry was recorded the first time. A result
    or a BPMN error that the engine refuses (too large, say) fails the job for good, with the engine's reason.
    """
    wait, tried_before = _FIRST_WAIT_S, False
    while True:
        try:
            await source.deliver(job, outcome)
        except EngineNotFound:
            _log.info("job %s (element '%s') is gone from the engine", job.key, job.element_id)
            return outcome if tried_before else NotDelivered.GONE
        except EngineRejected as error:
            _log.error("job %s (element '%s'): %s", job.key, job.element_id, error)
            if isinstance(outcome, Failed):
                return NotDelivered.REFUSED
            refused = "the result" if isinstance(outcome, Completed) else f"the BPMN error '{outcome.code}'"
            outcome = Failed(f"the engine refused {refused}: {error.reason}", retries=0)
        except EngineError as error:
            if seconds_left() <= wait:
                _log.error("job %s: its lease is over before its result was taken: %s", job.key, error)
                return NotDelivered.LEASE_OVER
            on_retry()
            await asyncio.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 - not for secrecy
            wait, tried_before = min(wait * 2, _LONGEST_WAIT_S), True
        else:
            return outcome
