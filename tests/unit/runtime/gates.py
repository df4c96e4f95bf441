"""Functions that stand still until a test opens their gate."""

import asyncio

from pydantic import BaseModel


class In(BaseModel):
    name: str = ""


class Out(BaseModel):
    text: str


class Gates:
    """Functions that stand still until a test opens their gate."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.stopped: list[str] = []
        self.most_at_once = 0
        self._inside = 0
        self._open: dict[str, asyncio.Event] = {}
        self._moved = asyncio.Condition()

    async def enter(self, data: In) -> Out:
        self.started.append(data.name)
        self._inside += 1
        self.most_at_once = max(self.most_at_once, self._inside)
        await self._tell()
        try:
            await self._gate(data.name).wait()
        except asyncio.CancelledError:
            self.stopped.append(data.name)
            raise
        finally:
            self._inside -= 1
        return Out(text=f"done {data.name}")

    def open(self, *names: str) -> None:
        for name in names:
            self._gate(name).set()

    async def has_started(self, count: int) -> None:
        async with asyncio.timeout(10), self._moved:
            await self._moved.wait_for(lambda: len(self.started) >= count)

    async def _tell(self) -> None:
        async with self._moved:
            self._moved.notify_all()

    def _gate(self, name: str) -> asyncio.Event:
        return self._open.setdefault(name, asyncio.Event())
