"""One thread that takes calls in batches: what gathers while a batch runs is the next one."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

from procos.errors import StoreError

Request = TypeVar("Request")
_MOST_AT_ONCE: Final = 1_000


@dataclass(slots=True, eq=False)
class Call(Generic[Request]):
    """A request on its way; whoever works on it sets `result` or `error`."""

    request: Request
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class BatchThread(Generic[Request]):
    """Hands calls from any event loop to `work`, in a thread of its own, in the order in which they came.

    `work` sets each call's result or error; what it raises becomes the error of all. A daemon thread: one that hangs
    on a server without an answer does not keep the process from ending.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Call[Request]]], None],
        *,
        at_end: Callable[[], None],
        name: str,
        limit: timedelta,
    ) -> None:
        self._work = work
        self._at_end = at_end
        self._name = name
        self._limit = limit.total_seconds()
        self._calls: queue.SimpleQueue[Call[Request] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    async def call(self, request: Request) -> Any:  # noqa: ANN401 - what `work` gives this request
        """Waits for the request's result.

        Raises:
            StoreError: closed, or no result within the limit; then the request may still be carried out.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._is_closed:
                raise _closed(self._name)
            self._calls.put(Call(request, future))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        try:
            async with asyncio.timeout(self._limit):
                return await future
        except TimeoutError:
            raise StoreError(
                f"{self._name}: no answer within {self._limit:g} s", hint="see whether the database still answers"
            ) from None

    async def close(self) -> None:
        """Lets the calls under way end, then the thread; further calls are refused."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._calls.put(None)
            thread = self._thread
        if thread is not None:
            await asyncio.to_thread(thread.join, self._limit)

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                try:
                    self._work(batch)
                except Exception as error:  # noqa: BLE001 - carried over to those who wait
                    for call in batch:
                        call.error = error
                _answer(batch)
        finally:
            self._at_end()

    def _next_batch(self) -> list[Call[Request]]:
        """The calls that are there, at least one; none when it is time to end."""
        batch: list[Call[Request]] = []
        with contextlib.suppress(queue.Empty):
            while len(batch) < _MOST_AT_ONCE:
                call = self._calls.get(block=not batch)
                if call is None:
                    self._calls.put(None)  # seen again after this batch
                    break
                batch.append(call)
        return batch


def _closed(name: str) -> StoreError:
    return StoreError(f"{name} is closed")


def _answer(batch: Sequence[Call[Any]]) -> None:
    """Wakes each event loop once, however many of its calls are done."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Call[Any]]] = {}
    for call in batch:
        by_loop.setdefault(call.future.get_loop(), []).append(call)
    for loop, calls in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(_settle, calls)


def _settle(calls: Sequence[Call[Any]]) -> None:
    for call in calls:
        if call.future.done():  # cancelled, or given up
            continue
        if call.error is None:
            call.future.set_result(call.result)
        else:
            call.future.set_exception(call.error)
