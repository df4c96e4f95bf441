"""A call that a server refuses for now is made again within the same job, as long as the waits are short."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from procos.sdk import RetryLater

T = TypeVar("T")

_ATTEMPTS = 3
_FIRST_WAIT = timedelta(seconds=0.5)


class TryAgain(Exception):
    """The call may be repeated at once; `retry_after` is the wait that the server asked for, if it did."""

    def __init__(self, failure: Exception, *, retry_after: timedelta | None = None) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.retry_after = retry_after


async def repeated(call: Callable[[], Awaitable[T]], *, longest_wait: timedelta) -> T:
    """What `call` returns, made up to three times while it raises `TryAgain` and all waits together are short enough.

    Raises:
        RetryLater: the server asks for a longer wait than `longest_wait`; no slot is held meanwhile.
        Exception: the `failure` of the last `TryAgain`, and whatever else the call raises.
    """
    left = longest_wait
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return await call()
        except TryAgain as refusal:
            wait = refusal.retry_after if refusal.retry_after is not None else _FIRST_WAIT * 2 ** (attempt - 1)
            if attempt == _ATTEMPTS or wait > left:
                if refusal.retry_after:
                    raise RetryLater(str(refusal), after=refusal.retry_after) from None
                raise refusal.failure from None
        left -= wait
        await asyncio.sleep(wait.total_seconds())
    raise AssertionError("the last attempt returns or raises")
