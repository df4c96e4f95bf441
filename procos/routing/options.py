"""What can be set of the router."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterOptions:
    """Below `threshold` the search does not decide; `candidates` is how many it hands on, to the model or a person.

    What rules and people's answers said counts for `rules_fresh_for` and `examples_fresh_for`, then they are asked
    again. `remembered` is how many decisions are kept in memory.
    """

    threshold: float = 0.5
    candidates: int = 8
    rules_time_limit: timedelta = timedelta(seconds=5)
    rules_fresh_for: timedelta = timedelta(seconds=5)
    examples_fresh_for: timedelta = timedelta(seconds=10)
    search_time_limit: timedelta = timedelta(seconds=20)
    memory_time_limit: timedelta = timedelta(seconds=5)
    model_time_limit: timedelta = timedelta(seconds=30)
    remembered: int = 4096
