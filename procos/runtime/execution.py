"""One job through one TDE: input read, function run, outcome decided. Knows no engine."""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from procos.errors import BpmnError, GiveUp, RetryLater, TaskOutcome
from procos.model.job import Completed, ErrorThrown, Failed, Job, Outcome
from procos.ports.secrets import SecretSource
from procos.runtime.attempt import Attempt
from procos.runtime.calling import call
from procos.runtime.inputs import SecretResolver, read_input
from procos.runtime.large_variables import LargeVariables, has_reference
from procos.runtime.own_process import OwnProcesses
from procos.runtime.results import concealed, failure, thrown, variables_of, with_variables
from procos.sdk.context import JobLink, TaskContext
from procos.sdk.registration import Tde
from procos.telemetry import tracing
from procos.telemetry.job_facts import working_on
from procos.telemetry.tracing import TRACE_VARIABLE

CORRELATION_VARIABLE: Final = "correlationId"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Execution:
    """A TDE made ready to run jobs, with its validated `config` and the folder it may keep files in.

    `granted_secrets` are patterns that narrow the secrets that the TDE declares; `large_variables` None means that
    variables go to the engine as they are.
    """

    tde: Tde[..., Any]
    config: BaseModel
    secrets: SecretSource
    data_folder: Path
    granted_secrets: tuple[str, ...] = ("*",)
    large_variables: LargeVariables | None = None
    _processes: OwnProcesses | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        processes = OwnProcesses(self.tde, self.secrets, self.granted_secrets) if self.tde.cpu_bound else None
        object.__setattr__(self, "_processes", processes)

    @property
    def fetch_variables(self) -> tuple[str, ...]:
        """The variables to ask the engine for; none means all."""
        declared = self.tde.variable_names
        return (*declared, CORRELATION_VARIABLE, TRACE_VARIABLE) if declared else ()

    async def run(self, job: Job, attempt: Attempt | None = None) -> Outcome:
        """Runs the job and says how it ended; only cancellation is raised. Without `attempt`, its number is a guess."""
        attempt = attempt or Attempt.without_ledger(job)
        facts = facts_of(job, correlation_id_of(job))
        with working_on(facts):
            return await (self._traced(job, attempt, facts) if tracing.is_on() else self._outcome(job, attempt))

    async def _traced(self, job: Job, attempt: Attempt, facts: Mapping[str, str | int]) -> Outcome:
        attributes = {f"procos.{name}": value for name, value in facts.items()} | {"procos.attempt": attempt.number}
        with tracing.job_span(
            f"tde {self.tde.name}",
            traceparent=job.variables.get(TRACE_VARIABLE),
            correlation_id=correlation_id_of(job),
            attributes=attributes,
        ) as span:
            outcome = await self._outcome(job, attempt)
            if isinstance(outcome, Failed):
                tracing.mark_failed(span, outcome.message)
            elif isinstance(outcome, ErrorThrown):
                span.set_attribute("procos.bpmnErrorCode", outcome.code)
        return outcome

    async def _outcome(self, job: Job, attempt: Attempt) -> Outcome:
        resolver = SecretResolver(self.secrets, self.tde.secrets, self.granted_secrets)
        outcome: Outcome
        try:
            try:
                outcome, size = await self._attempt(job, attempt, resolver)
            except BpmnError as error:
                outcome = thrown(error, job)
                size = len(json.dumps(outcome.variables))
            # Before anything is stored: the secrets go out.
            outcome = concealed(outcome, resolver)
            return await self._put_away(outcome, size)
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            # Whatever a TDE raises ends its job, never its worker; a cancellation that nobody asked for is its own.
            # Other errors under a cancellation are mostly made by it: a client's "connection closed", say.
            if not isinstance(error, TaskOutcome) and _is_being_cancelled():
                raise asyncio.CancelledError from error
            outcome = failure(self.tde, job, attempt, error)
            _log_failure(job, outcome, error)
        return concealed(outcome, resolver)

    async def _attempt(self, job: Job, attempt: Attempt, resolver: SecretResolver) -> tuple[Outcome, int]:
        headers = resolver.resolve(dict(job.custom_headers))
        variables = resolver.resolve(dict(job.variables))
        if self.large_variables is not None and has_reference(variables):
            variables = await self.large_variables.bring_back(variables)
        arguments: tuple[Any, ...] = (read_input(self.tde.input_model, variables),)
        if self.tde.takes_context:
            arguments = (*arguments, self._context(job, headers, attempt, resolver))
        limit = self.tde.time_limit.total_seconds()
        clock = asyncio.timeout(limit)
        try:
            async with clock:
                result = await self._call(arguments, attempt, resolver)
        except TimeoutError as error:
            if not clock.expired():
                raise
            attempt.is_gone = True  # a thread cannot be ended; it can look
            raise TimeoutError(f"'{self.tde.name}' gave no result within its time limit of {limit:g} s") from error
        completed, size = variables_of(self.tde, result)
        return Completed(completed), size

    async def _call(self, arguments: tuple[Any, ...], attempt: Attempt, resolver: SecretResolver) -> object:
        if self._processes is not None:
            return await self._processes.call(arguments, attempt, resolver)
        return await call(self.tde, arguments)

    async def _put_away(self, outcome: Outcome, size: int) -> Outcome:
        if self.large_variables is None or isinstance(outcome, Failed):
            return outcome
        return with_variables(outcome, await self.large_variables.put_away(outcome.variables, size))

    def _context(
        self, job: Job, headers: Mapping[str, str], attempt: Attempt, resolver: SecretResolver
    ) -> TaskContext[BaseModel]:
        link = JobLink(
            keep=lambda value: attempt.keep(resolver.conceal(value)),
            is_cancelled=lambda: attempt.is_gone,
            secret=resolver.look_up,
        )
        return TaskContext(
            job_key=job.key,
            process_instance_key=job.process_instance_key,
            process_definition_id=job.process_definition_id,
            process_definition_version=job.process_definition_version,
            element_id=job.element_id,
            headers=headers,
            attempt=attempt.number,
            correlation_id=correlation_id_of(job),
            tenant_id=job.tenant_id,
            config=self.config,
            data_folder=self.data_folder,
            logger=logging.LoggerAdapter(logging.getLogger(f"procos.tde.{self.tde.name}"), {}),
            saved=attempt.progress,
            link=link,
        )


def correlation_id_of(job: Job) -> str:
    """The variable `correlationId`, or the instance's key where there is none."""
    return str(job.variables.get(CORRELATION_VARIABLE) or job.process_instance_key)


def facts_of(job: Job, correlation_id: str) -> dict[str, str | int]:
    """What log lines and spans say about the job."""
    return {
        "correlationId": correlation_id,
        "jobKey": job.key,
        "jobType": job.type,
        "elementId": job.element_id,
        "processInstanceKey": job.process_instance_key,
        "processDefinitionId": job.process_definition_id,
    }


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _log_failure(job: Job, outcome: Outcome, error: BaseException) -> None:
    if isinstance(error, RetryLater) and error.keep_retries:
        _log.debug("job %s (%s, element '%s') waits: %s", job.key, job.type, job.element_id, error)
        return
    what = "gives up" if isinstance(outcome, Failed) and outcome.retries == 0 else "failed"
    expected = isinstance(error, GiveUp | RetryLater)
    _log.warning(
        "job %s (%s, element '%s') %s: %s", job.key, job.type, job.element_id, what, error,
        exc_info=None if expected else error,
    )  # fmt: skip
