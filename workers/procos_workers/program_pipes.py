"""The pipes to and from one program: it is fed, and what it writes is read within bounds."""

import asyncio
import codecs
import os
from contextlib import suppress
from types import TracebackType
from typing import Self

_TAIL_BYTES = 4096
_DRAIN_SECONDS = 2.0


class _PipeEnd(asyncio.BaseProtocol):
    """Our end of a pipe; `closed` is set once nothing more can come or go."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Called by asyncio when the pipe is closed; a program that does not read its stdin is no error."""
        self.closed.set()


class Captured(_PipeEnd, asyncio.Protocol):
    """The first bytes of what a program wrote to one pipe, and the last few, however much it wrote."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self._head = bytearray()
        self._tail = b""
        self._size = 0

    def data_received(self, data: bytes) -> None:
        """Called by asyncio with what the program wrote."""
        self._head += data[: self._limit - len(self._head)]
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        self._size += len(data)

    @property
    def data(self) -> bytes:
        """The first bytes, up to the limit."""
        return bytes(self._head)

    @property
    def truncated(self) -> bool:
        """Whether more was written than was kept."""
        return self._size > self._limit

    def text(self) -> str:
        """The first bytes as UTF-8; bytes that are none become U+FFFD, a character cut in half at the limit goes."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return decoder.decode(self.data, final=not self.truncated)

    def last_lines(self, count: int) -> str:
        """The last `count` lines that are not empty, out of the last 4 KiB."""
        lines = [line for line in self._tail.decode("utf-8", "replace").splitlines() if line.strip()]
        return "\n".join(lines[-count:])


class Pipes:
    """The pipes to and from one program; leaving the block closes every end that is still open."""

    def __init__(self) -> None:
        self._their_ends: list[int] = []
        self._readers: list[tuple[Captured, asyncio.ReadTransport]] = []
        self._writers: list[tuple[_PipeEnd, asyncio.WriteTransport]] = []

    async def __aenter__(self) -> Self:
        return self

    async def capture(self, limit: int) -> tuple[int, Captured]:
        """Opens a pipe that the program writes to; returns its descriptor and what will have been read."""
        read_end, write_end = os.pipe()
        self._their_ends.append(write_end)
        captured = Captured(limit)
        file = os.fdopen(read_end, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: captured, file)
        self._readers.append((captured, transport))
        return write_end, captured

    async def feed(self, data: bytes) -> int:
        """Opens a pipe that the program reads `data` from; returns its descriptor."""
        read_end, write_end = os.pipe()
        self._their_ends.append(read_end)
        file = os.fdopen(write_end, "wb", buffering=0)
        transport, end = await asyncio.get_running_loop().connect_write_pipe(_PipeEnd, file)
        self._writers.append((end, transport))
        transport.write(data)
        transport.write_eof()
        return read_end

    def close_their_ends(self) -> None:
        """Closes our copies of the program's ends, so that a pipe ends when the program does."""
        while self._their_ends:
            os.close(self._their_ends.pop())

    async def drain(self) -> None:
        """Reads what the program left in its pipes.

        A process that left the program's group may keep a pipe open for ever; it is waited for two seconds.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                for captured, _ in self._readers:
                    await captured.closed.wait()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close_their_ends()
        for _, reader in self._readers:
            reader.close()
        for _, writer in self._writers:
            # With nothing left to write it is closing already, and asyncio stumbles over an abort then.
            if writer.get_write_buffer_size():
                writer.abort()
        for end, _ in (*self._readers, *self._writers):
            await end.closed.wait()
