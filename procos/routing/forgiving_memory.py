"""The routing memory, without which routing goes on."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from procos.errors import StoreError
from procos.model.routing import KeptDecision, RoutingDecision, RoutingExample
from procos.ports.routing_memory import RoutingMemory

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Tried(Generic[_T]):
    """What the memory said, None where it could not be asked."""

    value: _T | None
    is_done: bool = False


class ForgivingMemory:
    """A memory that may be away, or none: then nothing is found, and the log says what is not kept.

    One that did not answer in time is left alone for twice that time, so that not every task waits for it.
    """

    def __init__(
        self, memory: RoutingMemory | None, *, time_limit: timedelta, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._memory = memory
        self._time_limit = time_limit.total_seconds()
        self._now = now
        self._is_away = False
        self._rests_until = float("-inf")

    async def find(self, content_hash: str) -> RoutingDecision | None:
        """The newest decision with that hash that names a TDE, None where there is none or none can be read."""
        return (await self._tried(lambda memory: memory.find(content_hash))).value

    async def keep(self, decision: KeptDecision) -> None:
        """Adds a decision to the trace, if that can be done."""
        await self._tried(lambda memory: memory.keep(decision))

    async def examples(self) -> Sequence[RoutingExample] | None:
        """All examples, None where they cannot be read."""
        return (await self._tried(lambda memory: memory.examples())).value

    async def add_example(self, example: RoutingExample) -> bool:
        """Whether the example is kept."""
        return (await self._tried(lambda memory: memory.add_example(example))).is_done

    async def _tried(self, ask: Callable[[RoutingMemory], Awaitable[_T]]) -> _Tried[_T]:
        if self._memory is None or self._now() < self._rests_until:
            return _Tried(None)
        try:
            async with asyncio.timeout(self._time_limit):
                value = await ask(self._memory)
        except StoreError as error:
            self._note(error.message)
            return _Tried(None)
        except TimeoutError:
            self._rests_until = self._now() + 2 * self._time_limit
            self._note(f"no answer within {self._time_limit:g} s")
            return _Tried(None)
        if self._is_away:
            _log.info("the routing memory is back")
        self._is_away = False
        return _Tried(value, is_done=True)

    def _note(self, reason: str) -> None:
        """Once for each time that it goes away: a burst of tasks is no burst of warnings."""
        if not self._is_away:
            _log.warning("routing goes on without its memory; decisions are not kept meanwhile: %s", reason)
        self._is_away = True
