"""The heartbeat in numbers, counted as it happens."""

from datetime import datetime

from procos.model.heartbeat import HeartbeatReport
from procos.telemetry.metrics import HEARTBEAT, HEARTBEAT_LAG_S, LAST_BEAT


class Tally:
    """Counts for the report and the metrics."""

    def __init__(self) -> None:
        self.report = HeartbeatReport()

    def add(self, **counts: int) -> None:
        """Adds to fields of the report that are counts."""
        for name, count in counts.items():
            HEARTBEAT.labels(name).inc(count)
        self.note(**{name: getattr(self.report, name) + count for name, count in counts.items()})

    def beat(self, instance_key: int, at: datetime, *, lag_s: float, pause_s: float) -> None:
        """The heartbeat has beaten in that instance of its process."""
        HEARTBEAT_LAG_S.set(lag_s)
        LAST_BEAT.set(at.timestamp())
        self.add(beats=1)
        self.note(instance_key=instance_key, last_beat_at=at, lag_s=round(lag_s, 3), pause_s=pause_s, trouble="")

    def note(self, **facts: object) -> None:
        """Replaces fields of the report."""
        self.report = self.report.model_copy(update=facts)
