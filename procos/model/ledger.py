"""What the outcome ledger keeps of a job."""

from dataclasses import dataclass
from typing import Any

from procos.model.job import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One job: `failures` so far, `progress` for the next attempt (any JSON), the `outcome` not delivered yet.

    An `outcome` is there from the moment a handler has finished until the engine has confirmed it.
    """

    job_key: int
    failures: int = 0
    progress: Any = None
    outcome: Outcome | None = None
