"""Which job the code that runs just now works for: what log lines and spans say about it."""

import contextlib
import contextvars
from collections.abc import Iterator, Mapping

_EMPTY: Mapping[str, str | int] = {}
_facts: contextvars.ContextVar[Mapping[str, str | int]] = contextvars.ContextVar("procos_job_facts", default=_EMPTY)


def facts_of_this_job() -> Mapping[str, str | int]:
    """The facts of the job in hand by their names in logs (`correlationId`, `jobKey`, ...); empty outside of one."""
    return _facts.get()


@contextlib.contextmanager
def working_on(facts: Mapping[str, str | int]) -> Iterator[None]:
    """Makes `facts` those of all that runs inside the context, in threads that it starts too."""
    token = _facts.set(facts)
    try:
        yield
    finally:
        _facts.reset(token)
