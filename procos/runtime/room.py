"""How many jobs a worker takes in: one per free slot, and those that will be started before more can be fetched."""

import asyncio
from typing import Final

LOOK_AHEAD_S: Final = 0.05
"""Jobs that the slots will use up within so long are fetched in advance: about the time that fetching takes."""
MOST_AHEAD: Final = 256
"""More jobs than that are never fetched in advance."""
WORTH_A_REQUEST: Final = 0.3
"""The part of the room that is fetched in one request while no slot is idle; Zeebe's Java client waits for as much."""
_NEWEST_COUNTS = 0.1


class Room:
    """Counts a worker's jobs: those in `busy` slots, `ready` for one, being delivered, and all that have `finished`."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.busy = 0
        self.ready = 0
        self.delivering = 0
        self.finished = 0
        self._usual_s: float | None = None
        self._changed = asyncio.Event()

    def free(self) -> int:
        """How many jobs may come in now.

        Results that wait for delivery take room too, once they are more than the slots: the engine is overloaded then.
        """
        return self._whole() - self.busy - self.ready - max(0, self.delivering - self.slots)

    def has_idle_slot(self) -> bool:
        """Whether a slot has nothing to do."""
        return self.busy < self.slots and not self.ready

    async def until_free(self, *, for_a_request: bool = False) -> None:
        """Waits until there is room; `for_a_request`, until there is room for many, or a slot is idle."""
        while True:
            free = self.free()
            if free > 0 and (not for_a_request or self.has_idle_slot() or free >= WORTH_A_REQUEST * self._whole()):
                return
            await self.until_changed()

    async def until_changed(self) -> None:
        """Waits until a count has changed."""
        await self._changed.wait()

    def tell(self) -> None:
        """A count has changed: whoever waits looks again."""
        self._changed.set()
        self._changed.clear()

    def took(self, seconds: float) -> None:
        """A function took so long; how long they take decides how many jobs are fetched in advance."""
        self.finished += 1
        if self._usual_s is None:
            self._usual_s = seconds
        self._usual_s += _NEWEST_COUNTS * (seconds - self._usual_s)

    def _whole(self) -> int:
        if self._usual_s is None:
            return self.slots
        return self.slots + min(MOST_AHEAD, int(self.slots * LOOK_AHEAD_S / max(self._usual_s, 1e-6)))
