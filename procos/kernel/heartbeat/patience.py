"""Asking an engine that is overloaded or away again, for as long as there is time."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from procos.errors import EngineError, EngineNotFound, EngineRejected

_FIRST_WAIT_S: Final = 0.05
_LONGEST_WAIT_S: Final = 1.0
_T = TypeVar("_T")


async def insist(ask: Callable[[], Awaitable[_T]], *, until: float) -> _T:
    """What the engine answers; `until` is a moment of the monotonic clock, in seconds.

    Raises:
        EngineNotFound: what was asked for is not there.
        EngineRejected: the engine will never take it.
        EngineError: there was no answer in time.
    """
    wait = _FIRST_WAIT_S
    while True:
        try:
            return await ask()
        except (EngineNotFound, EngineRejected):
            raise
        except EngineError:
            if time.monotonic() + wait >= until:
                raise
        await asyncio.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 - not for secrecy
        wait = min(wait * 2, _LONGEST_WAIT_S)
