"""Waiting between attempts at something that is away: longer each time, jittered, and told once."""

import asyncio
import logging
import random
from typing import Final

from procos.errors import EngineOverloaded, ProcosError

_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 5.0
_FIRST_WAIT_OVERLOADED_S: Final = 0.02
_LONGEST_WAIT_OVERLOADED_S: Final = 0.5
_WORTH_TELLING_AFTER: Final = 20
_log = logging.getLogger(__name__)


class Backoff:
    """`who` is named in the log, once when it begins to wait and once when it is back.

    An engine that is overloaded says so in passing, all the time: that is no news until it lasts, and waits are short.
    """

    def __init__(self, who: str) -> None:
        self._who = who
        self._failures = 0
        self._told = False
        self.trouble: str | None = None

    async def wait(self, error: Exception) -> None:
        """Waits after `error`."""
        is_overloaded = isinstance(error, EngineOverloaded)
        if not is_overloaded or self._failures >= _WORTH_TELLING_AFTER:
            self._tell(error)
        first, longest = (
            (_FIRST_WAIT_OVERLOADED_S, _LONGEST_WAIT_OVERLOADED_S)
            if is_overloaded
            else (_FIRST_WAIT_S, _LONGEST_WAIT_S)
        )
        wait = min(first * 2 ** min(self._failures, 16), longest)
        self._failures += 1
        await asyncio.sleep(wait * random.uniform(0.5, 1.5))  # noqa: S311 - not for secrecy

    def reset(self) -> None:
        """It works again."""
        if self._told:
            _log.info("%s is back at work", self._who)
        self.trouble, self._failures, self._told = None, 0, False

    def _tell(self, error: Exception) -> None:
        self.trouble = str(error)
        if not self._told:
            defect = None if isinstance(error, ProcosError) else error
            _log.warning("%s waits for the engine: %s", self._who, error, exc_info=defect)
        self._told = True
