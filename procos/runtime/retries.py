"""How often a failed job is tried again, and when: the TDE's own policy, as the task's headers change it."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, ValidationError

from procos.errors import GiveUp, RetryLater
from procos.model.job import Job
from procos.runtime.attempt import Attempt
from procos.sdk.retry import RetryPolicy

RETRY_ATTEMPTS_HEADER: Final = "retryAttempts"
"""Task header: how often the job is tried in all, instead of the task's own `retries`."""
RETRY_BACKOFF_HEADER: Final = "retryBackoff"
"""Task header: an ISO 8601 duration (PT5S) between attempts, as Camunda's connectors have it."""
RETRY_FACTOR_HEADER: Final = "retryBackoffFactor"
"""Task header: how many times longer each wait is than the one before; 1 unless given, where `retryBackoff` is."""
LONGEST_BACKOFF_HEADER: Final = "retryLongestBackoff"
"""Task header: an ISO 8601 duration that no wait exceeds."""
GIVE_UP_ON_HEADER: Final = "giveUpOn"
"""Task header: names of Python exceptions, separated by commas, after which nothing is tried again."""

_DURATION = TypeAdapter[timedelta](Annotated[timedelta, Field(ge=timedelta(0))])
_COUNT = TypeAdapter[int](Annotated[int, Field(ge=1)])
_FACTOR = TypeAdapter[float](Annotated[float, Field(ge=1, allow_inf_nan=False)])
_log = logging.getLogger(__name__)


def retries_left(job: Job, attempt: Attempt, policy: RetryPolicy, error: BaseException) -> int:
    """The retries that the engine shall keep for the job after this failure; 0 makes an incident."""
    if isinstance(error, GiveUp):
        return 0
    if isinstance(error, RetryLater):
        return job.retries if error.keep_retries else _remaining(job, attempt, policy)
    if not policy.is_worth_a_retry(error) or _is_named(error, job.custom_headers):
        return 0
    return _remaining(job, attempt, policy)


def backoff(attempt: Attempt, policy: RetryPolicy, error: BaseException) -> timedelta:
    """How long to wait before the next attempt."""
    if isinstance(error, RetryLater):
        return max(error.after, timedelta(0))
    try:
        return policy.backoff(attempt.number)
    except OverflowError:  # a factor of 1e300, say
        return policy.longest_backoff


def policy_of(policy: RetryPolicy, job: Job) -> RetryPolicy:
    """`policy` with what the task's headers say instead; a header that cannot be read is ignored, with a warning."""
    headers = job.custom_headers
    if not headers:
        return policy
    changes: dict[str, Any] = {}
    first = _read(RETRY_BACKOFF_HEADER, headers, _DURATION, job, "an ISO 8601 duration such as PT5S")
    if first is not None:
        changes |= {"first_backoff": first, "factor": 1.0, "jitter": 0.0}
        changes["longest_backoff"] = max(first, policy.longest_backoff)
    for header, field, adapter, expected in (
        (RETRY_ATTEMPTS_HEADER, "attempts", _COUNT, "a whole number from 1"),
        (RETRY_FACTOR_HEADER, "factor", _FACTOR, "a number from 1"),
        (LONGEST_BACKOFF_HEADER, "longest_backoff", _DURATION, "an ISO 8601 duration such as PT5M"),
    ):
        value = _read(header, headers, adapter, job, expected)
        if value is not None:
            changes[field] = value
    return replace(policy, **changes) if changes else policy


def _remaining(job: Job, attempt: Attempt, policy: RetryPolicy) -> int:
    if policy.attempts is None:
        return max(0, job.retries - 1)
    return max(0, policy.attempts - attempt.number)


def _is_named(error: BaseException, headers: Mapping[str, str]) -> bool:
    names = {name.strip() for name in headers.get(GIVE_UP_ON_HEADER, "").split(",")}
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _read(header: str, headers: Mapping[str, str], adapter: TypeAdapter[Any], job: Job, expected: str) -> Any:  # noqa: ANN401 - the adapter's type
    text = headers.get(header)
    if not text:
        return None
    try:
        return adapter.validate_python(text)
    except ValidationError:
        _log.warning(
            "job %s, element '%s': header %s is %r, not %s; it is ignored",
            job.key, job.element_id, header, text, expected,
        )  # fmt: skip
        return None
