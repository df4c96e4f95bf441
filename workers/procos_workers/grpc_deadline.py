"""The time that one call may take, from connecting to the last message."""

import asyncio


class Deadline:
    """Counts from the moment that it is made."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._clock = asyncio.get_running_loop().time
        self._end = self._clock() + seconds

    @property
    def left(self) -> float:
        """What is left, in seconds; never negative."""
        return max(0.0, self._end - self._clock())

    @property
    def is_over(self) -> bool:
        """Whether nothing is left, but for what timers are inexact."""
        return self._clock() >= self._end - 0.01
