"""Which job the code that runs just now works for: what log lines and spans say about it."""

import contextvars
from collections.abc import Mapping

_EMPTY: Mapping[str, str | int] = {}
_facts: contextvars.ContextVar[Mapping[str, str | int]] = contextvars.ContextVar("procos_job_facts", default=_EMPTY)


def facts_of_this_job() -> Mapping[str, str | int]:
    """The facts of the job in hand by their names in logs (`correlationId`, `jobKey`, ...); empty outside of one."""
    return _facts.get()


class working_on:  # noqa: N801 - reads as a statement, as contextlib's own do
    """Makes `facts` those of all that runs inside the context, in the threads of sync functions too."""

    # A class, not a generator: it is entered for every job.
    __slots__ = ("_given", "_token")

    def __init__(self, facts: Mapping[str, str | int]) -> None:
        self._given = facts

    def __enter__(self) -> None:
        self._token = _facts.set(self._given)

    def __exit__(self, *_: object) -> None:
        _facts.reset(self._token)
