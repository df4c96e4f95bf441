"""What the heartbeat says of itself, for `procos pdo status`."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class HeartbeatReport(BaseModel):
    """The heartbeat in numbers since the kernel's boot; durations are in seconds.

    `lag_s` is how much later than planned the last beat came; `pause_s` how long the heartbeat rests after it unless it
    is woken. `found` counts unclaimed tasks, `handed_over` those for which a task run was asked for, `routed` and
    `abstained` the router's answers, `delivered` the results, errors and failures that parents took.
    """

    model_config = ConfigDict(frozen=True)

    instance_key: int | None = None
    beats: int = 0
    failed_beats: int = 0
    last_beat_at: datetime | None = None
    lag_s: float = 0.0
    pause_s: float = 0.0
    found: int = 0
    handed_over: int = 0
    routed: int = 0
    abstained: int = 0
    delivered: int = 0
    trouble: str = ""
