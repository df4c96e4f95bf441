"""How the heartbeat beats, and which tasks it leaves alone."""

from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Final

TASK_TYPE: Final = "procos.task"
"""The job type of a task that was drawn with only a name."""
PDO_KEY: Final = "procos-pdo"
"""Correlation key of the one heartbeat of an engine."""
START_MESSAGE: Final = "procos.pdo.start"
WAKE_MESSAGE: Final = "procos.pdo.wake"
DETECTED_MESSAGE: Final = "procos.task.detected"

_NEVER_OURS: Final = ("procos.*", "io.camunda*")
"""The kernel's own jobs, and those that Camunda's connectors, user tasks and listeners have workers for."""


@dataclass(frozen=True, kw_only=True)
class HeartbeatOptions:
    """`batch` is how many tasks of a type one scan takes at most; a scan that took so many is followed by the next.

    `patience` is how long a step asks an engine that is overloaded or away again, before its own job has to come again.
    `hand_over_lease` is how soon a task is found again whose finder died; `task_lease` how soon one whose task run
    stopped; it is renewed three times in that time. `include` and `exclude` are patterns with `*` for job types that no
    ProcOS worker is registered for; a task of such a type is left to others for `grace`.
    """

    batch: int = 200
    shortest_pause: timedelta = timedelta(seconds=1)
    longest_pause: timedelta = timedelta(seconds=15)
    max_beats: int = 1_000
    grace: timedelta = timedelta(seconds=5)
    hand_over_lease: timedelta = timedelta(seconds=15)
    task_lease: timedelta = timedelta(seconds=60)
    patience: timedelta = timedelta(seconds=5)
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()

    @property
    def renew_every(self) -> timedelta:
        """How often a task run renews its parent's lease."""
        return self.task_lease / 3

    def is_for_us(self, job_type: str) -> bool:
        """Whether unclaimed jobs of that type are taken after the grace period."""
        if any(fnmatchcase(job_type, pattern) for pattern in (*_NEVER_OURS, *self.exclude)):
            return False
        return any(fnmatchcase(job_type, pattern) for pattern in self.include)


def iso(duration: timedelta) -> str:
    """The duration as ISO 8601, as FEEL reads it."""
    return f"PT{duration.total_seconds():.10g}S"
