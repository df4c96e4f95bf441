"""`procos`, but each worker of the heartbeat breaks at its first job, with an exception that nobody expects."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from procos.cli.app import app
from procos.kernel.heartbeat.heartbeat import Heartbeat
from procos.sdk.registration import Tde
from procos.wiring import heartbeat

BEATS = 3
"""So soon does a heartbeat go on in another instance."""
DEFECT = "a defect that was put there"


def _breaking_once(function: Callable[..., Any]) -> Callable[..., Any]:
    broken = False

    async def work(*args: Any, **kwargs: Any) -> Any:
        nonlocal broken
        if not broken:
            broken = True
            raise ZeroDivisionError(DEFECT)
        return await function(*args, **kwargs)

    return work


def _faulty(all_of: Callable[[Heartbeat], Sequence[Tde[..., Any]]]) -> Callable[[Heartbeat], Sequence[Tde[..., Any]]]:
    return lambda self: [replace(tde, function=_breaking_once(tde.function)) for tde in all_of(self)]


if __name__ == "__main__":
    usual = heartbeat._options
    heartbeat._options = lambda settings: replace(usual(settings), max_beats=BEATS)
    Heartbeat.tdes = _faulty(Heartbeat.tdes)  # type: ignore[method-assign]
    app()
