"""A named pipe that processes hold open: a test sees by it when they have started, and when the last one is gone."""

import asyncio
import os
from pathlib import Path
from typing import Self


class Lifeline:
    """Processes write a line to `path` and keep it open; the pipe ends when none of them lives any more."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._reader = asyncio.StreamReader()

    async def __aenter__(self) -> Self:
        file = os.fdopen(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)
        protocol = asyncio.StreamReaderProtocol(self._reader)
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, file)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()
        await asyncio.sleep(0)

    async def held(self) -> bytes:
        """Waits until a process holds the pipe; returns the line that it wrote."""
        async with asyncio.timeout(60):
            return await self._reader.readline()

    async def let_go(self) -> None:
        """Waits until no process holds the pipe any more; fails when one still does after a minute."""
        async with asyncio.timeout(60):
            await self._reader.read()
