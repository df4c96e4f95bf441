"""The thread that takes calls in batches."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest

from procos.adapters.state.batches import BatchThread, Call
from procos.errors import StoreError

pytestmark = pytest.mark.anyio


class Doubler:
    """Doubles numbers, but not before it may go on."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.is_at_work = threading.Event()
        self.batches: list[list[int]] = []
        self.ended_in: list[str] = []

    def work(self, batch: Sequence[Call[int]]) -> None:
        self.is_at_work.set()
        assert self.may_go_on.wait(30)
        self.batches.append([call.request for call in batch])
        for call in batch:
            call.result = call.request * 2
            if call.request == 13:
                call.error = StoreError("unlucky")
        if any(call.request == 0 for call in batch):
            raise ZeroDivisionError("zero")

    def at_end(self) -> None:
        self.ended_in.append(threading.current_thread().name)


def thread_of(doubler: Doubler, limit: timedelta = timedelta(seconds=30)) -> BatchThread[int]:
    return BatchThread(doubler.work, at_end=doubler.at_end, name="doubler", limit=limit)


async def at_work(doubler: Doubler) -> None:
    assert await asyncio.to_thread(doubler.is_at_work.wait, 30)


async def called_while_busy(doubler: Doubler, thread: BatchThread[int], numbers: Sequence[int]) -> list[object]:
    """The results of a call with 1, and of calls that come while it is worked on."""
    tasks = [asyncio.create_task(thread.call(1))]
    await at_work(doubler)
    tasks += [asyncio.create_task(thread.call(number)) for number in numbers]
    await asyncio.sleep(0)
    doubler.may_go_on.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_comes_while_it_is_busy_is_one_batch():
    doubler = Doubler()
    thread = thread_of(doubler)

    assert await called_while_busy(doubler, thread, [2, 3, 4]) == [2, 4, 6, 8]
    assert doubler.batches == [[1], [2, 3, 4]]
    await thread.close()


async def test_an_error_is_its_own_calls_only():
    doubler = Doubler()
    thread = thread_of(doubler)

    one, two, unlucky = await called_while_busy(doubler, thread, [2, 13])

    assert (one, two, str(unlucky)) == (2, 4, "unlucky")
    await thread.close()


async def test_what_the_work_raises_is_the_error_of_all_and_the_thread_goes_on():
    doubler = Doubler()
    thread = thread_of(doubler)

    one, two, zero = await called_while_busy(doubler, thread, [2, 0])

    assert (one, repr(two), repr(zero)) == (2, "ZeroDivisionError('zero')", "ZeroDivisionError('zero')")
    assert await thread.call(5) == 10
    await thread.close()


async def test_a_cancelled_caller_disturbs_no_other():
    doubler = Doubler()
    thread = thread_of(doubler)
    first, second = asyncio.create_task(thread.call(1)), asyncio.create_task(thread.call(2))
    await at_work(doubler)
    first.cancel()
    doubler.may_go_on.set()

    assert await second == 4
    assert first.cancelled()
    await thread.close()


async def test_a_caller_waits_only_so_long():
    doubler = Doubler()
    thread = thread_of(doubler, limit=timedelta(milliseconds=20))

    with pytest.raises(StoreError, match="doubler: no answer within"):
        await thread.call(1)
    doubler.may_go_on.set()
    await thread.close()


async def test_closing_lets_the_calls_under_way_end_and_refuses_others():
    doubler = Doubler()
    thread = thread_of(doubler)
    calls = [asyncio.create_task(thread.call(number)) for number in (1, 2, 3)]
    await at_work(doubler)
    closing = [asyncio.create_task(thread.close()) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(StoreError, match="doubler is closed"):
        await thread.call(4)
    doubler.may_go_on.set()

    assert await asyncio.gather(*calls) == [2, 4, 6]
    await asyncio.gather(*closing)
    assert doubler.ended_in == ["doubler"]


async def test_one_that_was_never_used_closes_without_a_thread():
    doubler = Doubler()
    thread = thread_of(doubler)
    await thread.close()

    assert doubler.ended_in == []


def test_an_event_loop_that_ends_without_waiting_does_no_harm():
    doubler = Doubler()
    thread = thread_of(doubler)

    async def ask_and_leave() -> None:
        asyncio.create_task(thread.call(1))  # noqa: RUF006 - it is to be lost
        await at_work(doubler)

    asyncio.run(ask_and_leave())
    doubler.may_go_on.set()

    async def ask_and_close() -> None:
        assert await thread.call(2) == 4
        await thread.close()

    asyncio.run(ask_and_close())
