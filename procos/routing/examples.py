"""People's answers: a task that a person decided goes there from then on."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

from procos.model.routing import RoutingExample
from procos.routing.forgiving_memory import ForgivingMemory
from procos.routing.options import RouterOptions
from procos.routing.task_words import is_place, same_key

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExampleSet:
    """All answers at one time; `digest` is the same as long as they are."""

    by_key: dict[str, RoutingExample] = field(default_factory=dict)

    def of(self, key: str) -> RoutingExample | None:
        """What a person said of the very task with that key, None where nobody was asked."""
        return self.by_key.get(same_key(key))

    @cached_property
    def digest(self) -> str:
        """Of every task and its TDE."""
        lines = sorted(f"{key}\0{example.tde}" for key, example in self.by_key.items())
        return hashlib.sha256("\n".join(lines).encode(errors="replace")).hexdigest()

    @cached_property
    def in_words(self) -> tuple[RoutingExample, ...]:
        """Those that say something of other tasks too."""
        return tuple(example for example in self.by_key.values() if not is_place(example.text))


class Examples:
    """The answers in the memory, read again every few seconds, for another kernel may have learned more.

    One that could not be kept counts here as long as this process lives.
    """

    def __init__(
        self, memory: ForgivingMemory, options: RouterOptions, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._memory = memory
        self._fresh_for = options.examples_fresh_for.total_seconds()
        self._now = now
        self._read_at: float | None = None
        self._stored = ExampleSet()
        self._unkept: dict[str, RoutingExample] = {}
        self._lock = asyncio.Lock()

    async def current(self) -> ExampleSet:
        """All answers, as of a few seconds ago at most."""
        async with self._lock:
            if self._read_at is None or self._now() - self._read_at >= self._fresh_for:
                await self._read()
            return self._stored

    async def add(self, example: RoutingExample) -> None:
        """Keeps an answer; it counts from now on."""
        async with self._lock:
            key = same_key(example.text)
            if await self._memory.add_example(example):
                self._unkept.pop(key, None)
            else:
                _log.warning("what a person chose is not kept, and forgotten when this process ends: '%s'", example.tde)
                self._unkept[key] = example
            self._stored = ExampleSet({**self._stored.by_key, key: example})

    async def _read(self) -> None:
        found = await self._memory.examples()
        self._read_at = self._now()
        if found is not None:
            newest = ExampleSet(_keyed(found) | self._unkept)
            # The same set keeps what was computed for it.
            self._stored = self._stored if newest == self._stored else newest


def _keyed(examples: Iterable[RoutingExample]) -> dict[str, RoutingExample]:
    return {same_key(example.text): example for example in examples}
