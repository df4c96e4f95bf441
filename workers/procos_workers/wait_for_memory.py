"""What the wait-for TDE keeps from one check to the next."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Snapshot = tuple[int, int, int]


class Memory(BaseModel):
    """How long a job has waited, and what it saw.

    Checks may run in different processes, so that only the wall clock can tell the time between them. A clock that is
    set back in between loses that one interval, and nothing else: what was waited before is kept as a sum.
    """

    model_config = ConfigDict(extra="forbid")

    checks: int = Field(default=0, ge=0)
    waited_seconds: float = Field(default=0, ge=0, allow_inf_nan=False)
    last_check: float = Field(allow_inf_nan=False)
    finding: str = ""
    snapshot: Snapshot | None = None
    snapshot_at: float = 0

    @classmethod
    def of(cls, saved: Any, *, now: float) -> Self:  # noqa: ANN401 - any JSON value
        """The memory of a job at its next check; `now` is the wall clock's time in seconds."""
        try:
            known = cls.model_validate(saved)
        except ValidationError:  # nothing was kept yet, or by another version
            return cls(checks=1, last_check=now)
        waited = known.waited_seconds + max(0.0, now - known.last_check)
        return known.model_copy(update={"checks": known.checks + 1, "waited_seconds": waited, "last_check": now})

    def unchanged_seconds(self, seen: Snapshot | None) -> float:
        """For how long the file has been seen as it is now; remembers how it looks."""
        if seen != self.snapshot:
            self.snapshot, self.snapshot_at = seen, self.waited_seconds
        return self.waited_seconds - self.snapshot_at
