"""When a failed job is tried again."""

import random
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with jitter: `first_backoff`, then `factor` times as long each time, up to `longest_backoff`.

    `attempts` is how often a job is tried in all; None leaves it to the process: the `retries` of its task (Zeebe's
    default: 3). An error that is one of `give_up_on`, or none of `retry_on`, ends the job at its first attempt.
    """

    first_backoff: timedelta = timedelta(seconds=1)
    factor: float = 2.0
    longest_backoff: timedelta = timedelta(minutes=5)
    jitter: float = 0.2
    attempts: int | None = None
    retry_on: tuple[type[BaseException], ...] = (BaseException,)
    give_up_on: tuple[type[BaseException], ...] = ()

    def backoff(self, attempt: int) -> timedelta:
        """The wait after the failed attempt number `attempt` (from 1), varied by up to ± `jitter` of itself."""
        plain = self.first_backoff.total_seconds() * self.factor ** (min(attempt, 64) - 1)
        capped = min(plain, self.longest_backoff.total_seconds())
        return timedelta(seconds=capped * random.uniform(1 - self.jitter, 1 + self.jitter))  # noqa: S311 - not for secrecy

    def is_worth_a_retry(self, error: BaseException) -> bool:
        """Whether another attempt may help after `error`."""
        return isinstance(error, self.retry_on) and not isinstance(error, self.give_up_on)
