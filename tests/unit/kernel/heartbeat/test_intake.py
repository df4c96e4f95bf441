"""What the engine pushes is handed over as it comes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from procos.errors import EngineUnavailable, EngineUnsupported
from procos.kernel.heartbeat.intake import Intake
from tests.unit.kernel.heartbeat.parts import WORKER, Parts

pytestmark = pytest.mark.anyio


class Waits:
    """Waits for nothing, and counts."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.resets = 0

    async def wait(self, error: Exception) -> None:
        self.errors.append(error)
        await asyncio.sleep(0)

    def reset(self) -> None:
        self.resets += 1


class Taking:
    """An intake on a FakeEngine."""

    def __init__(self) -> None:
        self.parts = Parts()
        self.arrivals: list[bool] = []
        self.waits = Waits()
        self.intake = Intake(
            jobs=self.parts.engine, hand_over=self.parts.hand_over, worker=WORKER, options=self.parts.options,
            waiting=self.waits, on_arrival=self._arrived,
        )  # fmt: skip

    async def _arrived(self, is_handed_over: bool) -> None:
        self.arrivals.append(is_handed_over)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.intake.run())
        await self.parts.engine.until(lambda: "stream" in self.parts.engine.calls)
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_pushed_task_is_handed_over_without_a_scan():
    taking = Taking()
    async with taking.running():
        key = taking.parts.engine.add_job("procos.task")
        await taking.parts.engine.until(lambda: taking.parts.engine.messages)
        assert taking.parts.handed_over() == [key]
        await taking.parts.engine.until(lambda: taking.arrivals)
    assert taking.arrivals == [True]


async def test_a_stream_that_breaks_is_opened_again():
    taking = Taking()
    taking.parts.engine.refuse("stream", EngineUnavailable("gone"), times=2)
    async with taking.running():
        await taking.parts.engine.until(lambda: taking.parts.engine.calls.count("stream") == 3)
        taking.parts.engine.add_job("procos.task")
        await taking.parts.engine.until(lambda: taking.parts.engine.messages)
    assert len(taking.waits.errors) == 2
    assert taking.waits.resets == 1


async def test_an_engine_without_streams_is_left_to_the_scan():
    taking = Taking()
    taking.parts.engine.refuse("stream", EngineUnsupported("no streams"))
    await asyncio.wait_for(taking.intake.run(), 5)
    assert taking.waits.errors == []
