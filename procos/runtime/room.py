"""How many jobs a worker takes in: one per free slot, and those that will be started before more can be fetched."""

import asyncio
from typing import Final

LOOK_AHEAD_S: Final = 0.05
"""Jobs that the slots will use up within so long are fetched in advance: about the time that fetching takes."""
ENOUGH_IN_HAND: Final = 288
"""With so many jobs in hand, none is fetched in advance: the engine does not get faster by it."""
MOST_DELIVERING: Final = 32
"""With more results on their way than that the engine is overloaded, and each takes the room of a job."""
WORTH_A_REQUEST: Final = 0.3
"""The part of the room that is worth a request; Zeebe's Java client waits for as much."""
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

        Results that wait for delivery take room too, once they are too many for the engine.
        """
        return self._whole() - self.busy - self.ready - max(0, self.delivering - min(self.slots, MOST_DELIVERING))

    def has_idle_slot(self) -> bool:
        """Whether a slot has nothing to do."""
        return self.busy < self.slots and not self.ready

    async def until_free(self, *, for_a_request: bool = False) -> None:
        """Waits until there is room; `for_a_request`, until it is worth one.

        It is where there is room for many. For less, only where a slot is idle that will be for long: while functions
        are short, more room comes sooner than an answer.
        """
        while True:
            free = self.free()
            is_worth_it = free >= WORTH_A_REQUEST * self._whole() or (self.has_idle_slot() and not self._is_quick())
            if free > 0 and (is_worth_it or not for_a_request):
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

    def _is_quick(self) -> bool:
        return self._usual_s is not None and self._usual_s <= LOOK_AHEAD_S

    def _whole(self) -> int:
        if self._usual_s is None:
            return self.slots
        ahead = int(self.slots * LOOK_AHEAD_S / max(self._usual_s, 1e-6))
        return max(self.slots, min(ENOUGH_IN_HAND, self.slots + ahead))
