"""When a failed job is tried again."""

import random
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with jitter: `first_backoff`, then `factor` times as long each time, up to `longest_backoff`.

    How often is the process's own decision: the `retries` of its task (Zeebe's default: 3).
    """

    first_backoff: timedelta = timedelta(seconds=1)
    factor: float = 2.0
    longest_backoff: timedelta = timedelta(minutes=5)
    jitter: float = 0.2

    def backoff(self, attempt: int) -> timedelta:
        """The wait after the failed attempt number `attempt` (from 1), varied by up to ± `jitter` of itself."""
        plain = self.first_backoff.total_seconds() * self.factor ** (min(attempt, 64) - 1)
        capped = min(plain, self.longest_backoff.total_seconds())
        return timedelta(seconds=capped * random.uniform(1 - self.jitter, 1 + self.jitter))  # noqa: S311 - not for secrecy
