"""One attempt at a job: what earlier ones left, and what this one leaves to the next."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from procos.model.job import Job, Outcome
from procos.model.ledger import LedgerEntry

USUAL_RETRIES: Final = 3
"""The retries of a task where its process does not say otherwise (Zeebe's default)."""


@dataclass(slots=True)
class Attempt:
    """Attempt number `failures` + 1; `progress` is what an earlier attempt kept, until this one keeps something else.

    `is_gone` tells the function that what it does is for nobody; `is_spent` that this attempt failed, and counts.
    `on_progress` hears of each new value, in whatever thread the TDE's function runs.
    """

    job: Job
    failures: int = 0
    progress: Any = None
    is_gone: bool = False
    is_spent: bool = False
    on_progress: Callable[["Attempt"], None] = field(default=lambda _: None)

    @classmethod
    def without_ledger(cls, job: Job) -> "Attempt":
        """The attempt where nobody keeps count: the engine tells only the retries that remain, of usually three."""
        return cls(job, failures=max(0, USUAL_RETRIES - job.retries))

    @property
    def number(self) -> int:
        """Counted from 1."""
        return self.failures + 1

    def keep(self, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Keeps `value` for the next attempt.

        Raises:
            TypeError: JSON cannot hold it.
        """
        self.progress = kept_form(value)
        self.on_progress(self)

    def entry(self, outcome: Outcome | None = None) -> LedgerEntry:
        """What the ledger shall know now; an `outcome` until it is delivered."""
        failures = self.failures + self.is_spent
        return LedgerEntry(job_key=self.job.key, failures=failures, progress=self.progress, outcome=outcome)


def kept_form(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """`value` as it is kept: a copy, by way of JSON.

    Raises:
        TypeError: JSON cannot hold it.
    """
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"progress(...) takes what JSON can hold: {error}") from error
