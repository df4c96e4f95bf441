"""What the ports of a FakeEngine stand on: its state, its time, and who waits for something to happen."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final, Literal

from procos.testing.clock import Clock
from procos.testing.engine.definitions import Definitions
from procos.testing.engine.faults import Faults
from procos.testing.engine.interpreter import Interpreter
from procos.testing.engine.job_board import JobBoard
from procos.testing.engine.messages import Messages
from procos.testing.engine.state import Keys

Method = Literal[
    "topology", "deploy", "create_instance", "create_instance_with_result", "cancel_instance",
    "publish_message", "evaluate_decision", "activate", "stream", "deliver", "renew",
]  # fmt: skip
"""A method of the ports `Engine` and `JobSource`."""

ADDRESS: Final = "fake-engine:26500"


class Core:
    """One engine's state."""

    def __init__(self, clock: Clock) -> None:
        keys = Keys()
        self.calls: list[Method] = []
        self.definitions = Definitions(keys)
        self.jobs = JobBoard(clock)
        self.interpreter = Interpreter(self.definitions, self.jobs, keys)
        self.messages = Messages(clock)
        self.faults = Faults(ADDRESS)
        self._clock = clock
        self._changed = asyncio.Event()
        clock.when_moved(self._on_moved)

    @contextlib.contextmanager
    def call(self, method: Method) -> Iterator[None]:
        """One call of a port: counted, met by the fault that is due, told to all who wait."""
        self.calls.append(method)
        try:
            lost = self.faults.begin(method)
            self.jobs.settle()
            yield
            if lost is not None:
                raise lost
        finally:
            self.tell()

    def tell(self) -> None:
        """Something happened."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def something_happens(self, longest: float | None) -> None:
        """Waits until something happens, a lease or backoff is over, or `longest` seconds have passed."""
        limits = [longest]
        due = self.jobs.next_change()
        if due is not None:
            limits.append(self._clock.seconds_until(due))
        seconds = min((limit for limit in limits if limit is not None), default=None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self.jobs.settle()

    def _on_moved(self) -> None:
        self.jobs.settle()
        self.tell()
