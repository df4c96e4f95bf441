"""A CPU-bound TDE's function runs in a process of its own; what it logs and keeps comes back with its result.

The processes are anyio's: they are used again, and one whose job is cancelled or over its time is killed.
"""

import contextlib
import importlib
import logging
import os
import pickle
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import anyio.to_process
from pydantic import BaseModel

from procos.ports.secrets import SecretSource
from procos.runtime.attempt import Attempt, kept_form
from procos.runtime.calling import fit_for_a_future
from procos.runtime.inputs import SecretResolver
from procos.sdk.context import JobLink, TaskContext
from procos.sdk.registration import Tde

_MOST_LOG_RECORDS = 1_000
_MOST_DEAD_IN_A_ROW = 50


@dataclass(frozen=True, slots=True)
class _Call:
    """What the other process needs to do the work; all of it can be pickled."""

    module: str
    attribute: str
    data: BaseModel
    context: TaskContext[Any] | None
    secrets: SecretSource
    declared_secrets: tuple[str, ...]
    granted_secrets: tuple[str, ...]
    log_level: int


@dataclass(slots=True)
class _Answer:
    """What comes back, whether the function returned or raised."""

    result: object = None
    error: Exception | None = None
    has_kept: bool = False
    kept: Any = None
    used_secrets: set[str] = field(default_factory=set)
    log_records: list[logging.LogRecord] = field(default_factory=list)

    def keep(self, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Takes what the next attempt shall find; the last value counts."""
        self.kept, self.has_kept = kept_form(value), True


class OwnProcesses:
    """Runs one TDE's function in processes; at most as many as it is given calls at once."""

    def __init__(self, tde: Tde[..., Any], secrets: SecretSource, granted: tuple[str, ...]) -> None:
        self._tde = tde
        self._secrets = secrets
        self._granted = granted
        # The worker's slots are the limit; anyio's own would let jobs wait with their clocks running.
        self._limiter: anyio.CapacityLimiter | None = None

    async def call(self, arguments: tuple[Any, ...], attempt: Attempt, resolver: SecretResolver) -> object:
        """What the function returns; raises what it raised."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(float("inf"))
        data, context = (*arguments, None)[:2]
        request = _Call(
            module=self._tde.function.__module__,
            attribute=self._tde.function.__qualname__,
            data=data,
            context=replace(context, link=JobLink()) if context is not None else None,
            secrets=self._secrets,
            declared_secrets=self._tde.secrets,
            granted_secrets=self._granted,
            log_level=logging.getLogger("procos").getEffectiveLevel(),
        )
        answer = await self._ask_a_process(request)
        for name in answer.used_secrets:
            resolver.look_up(name)  # it has to be concealed here as well, in the log first of all
        for record in answer.log_records:
            logging.getLogger(record.name).handle(record)
        if answer.has_kept:
            attempt.keep(resolver.conceal(answer.kept))
        if answer.error is not None:
            raise answer.error
        return answer.result

    async def _ask_a_process(self, request: _Call) -> _Answer:
        for _ in range(_MOST_DEAD_IN_A_ROW):
            try:
                return await anyio.to_process.run_sync(_work, request, cancellable=True, limiter=self._limiter)
            except anyio.BrokenWorkerProcess as error:
                # One that was idle may have been killed; whoever never got the request has not begun the work.
                if isinstance(error.__cause__, anyio.BrokenResourceError):
                    continue
                raise RuntimeError(
                    f"the process in which '{self._tde.name}' ran ended in the middle of its work:"
                    " killed for its memory, perhaps, or crashed in a library"
                ) from error
        raise RuntimeError(f"no process for '{self._tde.name}' lives long enough to take its work")


def _work(request: _Call) -> _Answer:
    """Runs in the other process."""
    with _apart_from_the_worker():
        return _answer_to(request)


def _answer_to(request: _Call) -> _Answer:
    answer = _Answer()
    resolver = SecretResolver(request.secrets, request.declared_secrets, request.granted_secrets)
    recorder = _Recorder(answer.log_records)
    logging.getLogger().handlers = [recorder]
    logging.getLogger().setLevel(request.log_level)
    arguments: tuple[Any, ...] = (request.data,)
    if request.context is not None:
        link = JobLink(keep=answer.keep, secret=resolver.look_up)
        arguments = (request.data, replace(request.context, link=link))
    try:
        found: Any = importlib.import_module(request.module)
        for name in request.attribute.split("."):
            found = getattr(found, name)
        answer.result = found(*arguments)
        pickle.dumps(answer.result)
    except BaseException as error:  # noqa: BLE001 - carried over to the worker's process, where it is handled
        answer.result, answer.error = None, _portable(error)
    answer.used_secrets = set(resolver.used_names)
    return answer


def _portable(error: BaseException) -> Exception:
    """The error in a form that survives the way back; its traceback comes as a note."""
    error = fit_for_a_future(error)
    error.add_note("".join(traceback.format_tb(error.__traceback__)).rstrip())
    try:
        return_trip = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own, just made
    except Exception:  # noqa: BLE001 - an exception may be impossible to pickle in any way
        return_trip = None
    return error if isinstance(return_trip, type(error)) else RuntimeError(f"{type(error).__name__}: {error}")


class _Recorder(logging.Handler):
    """Collects log records for the worker's process; more than can be of use are dropped."""

    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._records) >= _MOST_LOG_RECORDS:
            return
        record.msg, record.args = record.getMessage(), None
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        self._records.append(record)


@contextlib.contextmanager
def _apart_from_the_worker() -> Iterator[None]:
    """Keeps what the function and its own programs print and read away from the pipes to the worker's process.

    Descriptors 0 and 1 carry requests and answers; nobody reads 2, and a full pipe would stop the function for ever.
    """
    pipes = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.close(nothing)
    try:
        yield
    finally:
        for number, pipe in enumerate(pipes):
            os.dup2(pipe, number)
            os.close(pipe)
