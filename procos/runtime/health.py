"""Is this process well, and do jobs flow? Asked from other threads, so that a loop that hangs is noticed."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

BEAT_EVERY_S: Final = 1.0
HUNG_AFTER_S: Final = 10.0
"""An event loop that did nothing for so long is blocked: by a TDE's function that is async and does not wait."""


class ProcessHealth:
    """`troubles` says why which job type's worker takes no jobs."""

    def __init__(self, troubles: Callable[[], Mapping[str, str]]) -> None:
        self._troubles = troubles
        self._beat_at: float | None = None

    async def beat(self) -> None:
        """Shows, until it is cancelled, that the event loop turns."""
        while True:
            self._beat_at = time.monotonic()
            await asyncio.sleep(BEAT_EVERY_S)

    def not_alive(self) -> Mapping[str, str]:
        """Why this process should be started again; empty when it is well."""
        if self._beat_at is None:
            return {"event loop": "it has not started"}
        silent = time.monotonic() - self._beat_at
        if silent > HUNG_AFTER_S:
            return {"event loop": f"it has been blocked for {silent:.0f} s"}
        return {}

    def not_ready(self) -> Mapping[str, str]:
        """Why jobs do not flow; empty when they do."""
        return {**self.not_alive(), **self._troubles()}
