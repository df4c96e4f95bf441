"""One job through one TDE: input read, function run, outcome decided. Knows no engine."""

import asyncio
import contextvars
import inspect
import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from procos.errors import BpmnError, GiveUp, RetryLater
from procos.model.job import Completed, ErrorThrown, Failed, Job, Outcome
from procos.ports.secrets import SecretSource
from procos.runtime.inputs import SecretResolver, read_input
from procos.sdk.context import TaskContext
from procos.sdk.registration import Tde

CORRELATION_VARIABLE: Final = "correlationId"
ERROR_CODE_HEADER: Final = "errorCode"
"""Task header: the BPMN error that a job throws, instead of raising an incident, when it has failed for good."""
RETRY_BACKOFF_HEADER: Final = "retryBackoff"
"""Task header: an ISO 8601 duration (PT5S) between attempts, as Camunda's connectors have it."""

_USUAL_RETRIES = 3
_LONGEST_MESSAGE = 8_000
_DURATION = TypeAdapter[timedelta](Annotated[timedelta, Field(ge=timedelta(0))])
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Execution:
    """A TDE made ready to run jobs, with its validated `config` and the folder it may keep files in."""

    tde: Tde[..., Any]
    config: BaseModel
    secrets: SecretSource
    data_folder: Path

    @property
    def fetch_variables(self) -> tuple[str, ...]:
        """The variables to ask the engine for; none means all."""
        declared = self.tde.variable_names
        return (*declared, CORRELATION_VARIABLE) if declared else ()

    async def run(self, job: Job) -> Outcome:
        """Runs the job and says how it ended; only cancellation is raised."""
        resolver = SecretResolver(self.secrets)
        try:
            outcome = await self._attempt(job, resolver)
        except BpmnError as error:
            outcome = self._thrown(job, error)
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            # Whatever a TDE raises ends its job, never its worker; a cancellation that nobody asked for is its own.
            if isinstance(error, asyncio.CancelledError) and _is_being_cancelled():
                raise
            outcome = self._failure(job, error)
        return _concealed(outcome, resolver)

    async def _attempt(self, job: Job, resolver: SecretResolver) -> Outcome:
        headers = resolver.resolve(dict(job.custom_headers))
        data = read_input(self.tde.input_model, resolver.resolve(dict(job.variables)))
        arguments: tuple[Any, ...] = (data,)
        if self.tde.takes_context:
            arguments = (data, self._context(job, headers))
        limit = self.tde.time_limit.total_seconds()
        clock = asyncio.timeout(limit)
        try:
            async with clock:
                result = await self._call(arguments)
        except TimeoutError as error:
            if not clock.expired():
                raise
            raise TimeoutError(f"'{self.tde.name}' gave no result within its time limit of {limit:g} s") from error
        return Completed(self._variables_of(result))

    async def _call(self, arguments: tuple[Any, ...]) -> object:
        result = self.tde(*arguments) if self.tde.is_async else await _in_thread(self.tde, arguments)
        return await result if inspect.isawaitable(result) else result

    def _variables_of(self, result: object) -> Mapping[str, Any]:
        expected = self.tde.output_model
        if expected is None and result is None:
            return {}
        if expected is None or not isinstance(result, expected):
            name = expected.__name__ if expected else "None"
            raise TypeError(
                f"'{self.tde.name}' returned {type(result).__name__}, which is not the {name} that it declares"
            )
        try:
            variables: object = result.model_dump(mode="json", by_alias=True)
            # The JSON mode turns NaN and infinity into null without a word; the Python mode keeps them.
            json.dumps(result.model_dump(mode="python"), allow_nan=False, default=str, skipkeys=True)
        except ValueError as error:
            raise TypeError(f"'{self.tde.name}' returned something that is not JSON: {error}") from error
        if not isinstance(variables, dict):
            raise TypeError(f"'{self.tde.name}' returned a {type(variables).__name__}, variables are a JSON object")
        return variables

    def _context(self, job: Job, headers: Mapping[str, str]) -> TaskContext[BaseModel]:
        facts = {"job_key": job.key, "correlation_id": _correlation_id(job)}
        return TaskContext(
            job_key=job.key,
            process_instance_key=job.process_instance_key,
            process_definition_id=job.process_definition_id,
            element_id=job.element_id,
            headers=headers,
            attempt=_attempt_number(job),
            correlation_id=_correlation_id(job),
            config=self.config,
            data_folder=self.data_folder,
            logger=logging.LoggerAdapter(logging.getLogger(f"procos.tde.{self.tde.name}"), facts),
        )

    def _thrown(self, job: Job, error: BpmnError) -> Outcome:
        try:
            variables = json.loads(json.dumps(error.variables, allow_nan=False))
        except (TypeError, ValueError, RecursionError) as wrong:
            return self._failure(job, TypeError(f"the variables of BPMN error '{error.code}' are not JSON: {wrong}"))
        return ErrorThrown(error.code, error.message, variables)

    def _failure(self, job: Job, error: BaseException) -> Outcome:
        outcome = self._outcome_of(job, error)
        _log_failure(job, outcome, error)
        return outcome

    def _outcome_of(self, job: Job, error: BaseException) -> Outcome:
        message = _message_of(error)
        retries = 0 if isinstance(error, GiveUp) else max(0, job.retries - 1)
        code = job.custom_headers.get(ERROR_CODE_HEADER)
        if retries == 0 and code:
            return ErrorThrown(code, message, {"errorCode": code, "errorMessage": message})
        if retries == 0:
            return Failed(message, retries=0)
        return Failed(message, retries=retries, backoff=self._backoff(job, error))

    def _backoff(self, job: Job, error: BaseException) -> timedelta:
        if isinstance(error, RetryLater):
            return max(error.after, timedelta(0))
        header = job.custom_headers.get(RETRY_BACKOFF_HEADER)
        if header:
            try:
                return _DURATION.validate_python(header)
            except ValidationError:
                _log.warning(
                    "job %s, element '%s': header %s is %r, not an ISO 8601 duration such as PT5S; it is ignored",
                    job.key, job.element_id, RETRY_BACKOFF_HEADER, header,
                )  # fmt: skip
        return self.tde.retry.backoff(_attempt_number(job))


async def _in_thread(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:  # noqa: ANN401 - what it returns
    """Runs a sync function in a daemon thread of its own.

    A pool would do for functions that end; one that hangs would hold a pool's thread, and the process's exit, for ever.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: object, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def work() -> None:
        result: object = None
        failure: Exception | None = None
        try:
            result = context.run(function, *arguments)
        except BaseException as error:  # noqa: BLE001 - carried over to the loop, where it is handled
            failure = _fit_for_a_future(error)
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:
            _log.warning("a function ended after its worker had gone; its result is dropped and its job runs again")

    threading.Thread(target=work, name=f"tde-{getattr(function, 'name', 'function')}", daemon=True).start()
    return await done


def _fit_for_a_future(error: BaseException) -> Exception:
    """A future refuses StopIteration, and an exit or a cancellation raised out of one would end more than the job."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"{type(error).__name__}: {error}")


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _correlation_id(job: Job) -> str:
    return str(job.variables.get(CORRELATION_VARIABLE) or job.process_instance_key)


def _attempt_number(job: Job) -> int:
    """The engine tells the retries that remain, not those that were; counted from Zeebe's default of three."""
    return max(1, _USUAL_RETRIES - job.retries + 1)


def _message_of(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    if not isinstance(error, GiveUp | RetryLater | TimeoutError):
        text = f"{type(error).__name__}: {text}"
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + " … (cut)"


def _concealed(outcome: Outcome, resolver: SecretResolver) -> Outcome:
    match outcome:
        case Completed(variables):
            return Completed(resolver.conceal(dict(variables)))
        case Failed(message, retries, backoff):
            return Failed(resolver.conceal(message), retries, backoff)
        case ErrorThrown(code, message, variables):
            return ErrorThrown(code, resolver.conceal(message), resolver.conceal(dict(variables)))


def _log_failure(job: Job, outcome: Outcome, error: BaseException) -> None:
    what = "gives up" if isinstance(outcome, Failed) and outcome.retries == 0 else "failed"
    expected = isinstance(error, GiveUp | RetryLater)
    _log.warning(
        "job %s (%s, element '%s') %s: %s", job.key, job.type, job.element_id, what, error,
        exc_info=None if expected else error,
    )  # fmt: skip
