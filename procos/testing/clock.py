"""The time that a FakeEngine goes by: the machine's, or one that a test moves."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What leases and backoffs are measured with."""

    def now(self) -> datetime:
        """The moment that it is, in UTC."""
        ...

    def seconds_until(self, moment: datetime) -> float | None:
        """How long to sleep until `moment`; None where sleeping does not bring it nearer."""
        ...

    def when_moved(self, told: Callable[[], None]) -> None:
        """Calls `told` whenever the time was moved by hand."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """The moment that it is, in UTC."""
        return datetime.now(UTC)

    def seconds_until(self, moment: datetime) -> float | None:
        """How long to sleep until `moment`."""
        return max(0.0, (moment - self.now()).total_seconds())

    def when_moved(self, told: Callable[[], None]) -> None:
        """Nobody moves this clock."""


class ManualClock:
    """A time that stands still until `advance`, so that a test waits for no lease and no backoff."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime.now(UTC)
        self._told: list[Callable[[], None]] = []

    def now(self) -> datetime:
        """The moment that it is, in UTC."""
        return self._now

    def seconds_until(self, moment: datetime) -> float | None:  # noqa: ARG002 - the protocol's
        """None: only `advance` brings it nearer."""
        return None

    def advance(self, by: timedelta) -> None:
        """Moves the time on; leases and backoffs that are over by then end at once."""
        if by < timedelta(0):
            raise ValueError("time goes forward only")
        self._now += by
        for told in self._told:
            told()

    def when_moved(self, told: Callable[[], None]) -> None:
        """Calls `told` after every `advance`."""
        self._told.append(told)
