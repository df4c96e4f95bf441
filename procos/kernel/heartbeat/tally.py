"""The heartbeat in numbers, counted as it happens."""

from procos.model.heartbeat import HeartbeatReport


class Tally:
    """Counts for the report."""

    def __init__(self) -> None:
        self.report = HeartbeatReport()

    def add(self, **counts: int) -> None:
        """Adds to fields of the report that are counts."""
        self.note(**{name: getattr(self.report, name) + count for name, count in counts.items()})

    def note(self, **facts: object) -> None:
        """Replaces fields of the report."""
        self.report = self.report.model_copy(update=facts)
