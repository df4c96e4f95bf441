"""The jobs of the process `procos-task-run`: route the task, keep its parent's lease, deliver how it ended."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from procos.errors import EngineError, EngineNotFound, UsageError
from procos.kernel.heartbeat.parent import Parents
from procos.kernel.heartbeat.plan import Plan, plan_of, result_of
from procos.kernel.heartbeat.tally import Tally
from procos.model.catalogue import CatalogueEntry
from procos.model.job import Completed, ErrorThrown, Failed, Outcome
from procos.model.task import TDE_HEADER, Task
from procos.ports.engine import Engine
from procos.ports.router import TaskRouter
from procos.sdk.context import TaskContext
from procos.sdk.registration import Tde, tde

_LIMIT: Final = timedelta(minutes=2)
_SENDING: Final = "sending"
DELIVER_HEADER: Final = "deliver"
_REFUSAL: Final = "refusal"
_log = logging.getLogger(__name__)


class Failure(BaseModel):
    """How the last run of the TDE failed; `thrown` where it was a BPMN error of the TDE's own."""

    code: str | None = None
    message: str | None = None
    thrown: bool = False


class Answer(BaseModel):
    """What a person said who was asked, and wants the task to be done; `inputs` go before what the router finds."""

    tde: str | None = None
    inputs: Mapping[str, Any] | None = None
    answered_by: str = Field(default="", alias="answeredBy")


class ToRoute(BaseModel):
    """The input of the route job."""

    task: Task = Field(alias="procosTask")
    failure: Failure | None = Field(default=None, alias="procosError")
    answer: Answer | None = Field(default=None, alias="procosAnswer")
    tried: list[str] | None = Field(default=None, alias="procosTried")


class Routed(BaseModel):
    """The output of the route job: the plan, and the TDE's inputs under their own names."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    plan: Plan = Field(serialization_alias="procosRoute")


class ToKeep(BaseModel):
    """The input of the job that keeps the parent's lease."""

    task: Task = Field(alias="procosTask")


class ToDeliver(BaseModel):
    """The input of the deliver job: every variable of the task run."""

    model_config = ConfigDict(extra="allow")

    task: Task = Field(alias="procosTask")
    plan: Plan | None = Field(default=None, alias="procosRoute")
    failure: Failure | None = Field(default=None, alias="procosError")
    attempt: int = Field(default=1, alias="procosAttempt")


class Delivered(BaseModel):
    """Whether the parent took what it was given; `output` is the result, which an undo needs."""

    delivered: Literal["done", "gone"] = Field(serialization_alias="procosDelivered")
    output: dict[str, Any] = Field(default_factory=dict, serialization_alias="procosOutput")


@dataclass(kw_only=True)
class TaskRuns:
    """Works on the task runs of one engine.

    `entry_of` looks a TDE up in the catalogue of now, `undo_of` the job type that undoes what it did.
    """

    engine: Engine
    parents: Parents
    router: TaskRouter
    entry_of: Callable[[str], CatalogueEntry | None]
    undo_of: Callable[[str], str | None]
    tally: Tally

    def tdes(self) -> Sequence[Tde[..., Any]]:
        """The workers of these jobs."""

        async def route(order: ToRoute) -> Routed:
            return await self.route(order)

        async def keep(order: ToKeep, context: TaskContext) -> None:
            await self.keep(order.task, context.process_instance_key)

        async def deliver(order: ToDeliver, context: TaskContext) -> Delivered:
            return await self.deliver(order, context)

        return [
            tde("task-route", job_type="procos.task.route", description="Finds out who does a task",
                time_limit=_LIMIT)(route),
            tde("task-keep", job_type="procos.task.keep", description="Renews the lease of a parent's job",
                time_limit=_LIMIT)(keep),
            tde("task-deliver", job_type="procos.task.deliver", description="Gives a parent the outcome",
                time_limit=_LIMIT)(deliver),
        ]  # fmt: skip

    async def route(self, order: ToRoute) -> Routed:
        """Decides who does the task, or that a person has to; a parent that is gone needs nobody."""
        task, answer = order.task, order.answer
        if answer is not None:
            task = await self._learn(task, answer)
        # Side by side: asking the engine takes about as long as deciding.
        routing = asyncio.create_task(self.router.route(task, not_again=_given_up(order)))
        try:
            if not await self.parents.is_there(task):
                return Routed(plan=Plan(outcome="gone"))
            decision = await routing
        finally:
            routing.cancel()
        self.tally.add(**{"routed" if decision.tde else "abstained": 1})
        entry = self.entry_of(decision.tde) if decision.tde else None
        undo = self.undo_of(decision.tde) if decision.tde else None
        return Routed(plan=plan_of(task, decision, entry, undo), **decision.inputs)

    async def keep(self, task: Task, task_run_key: int) -> None:
        """Renews the parent's lease; where the parent has ended, so does the task run, and what it called."""
        if await self.parents.is_there(task):
            return
        _log.info("the parent of task run %s has ended; the task run is cancelled", task_run_key)
        try:
            await self.engine.cancel_instance(task_run_key)
        except EngineNotFound:
            _log.debug("the task run %s ended at the same moment", task_run_key)

    async def deliver(self, order: ToDeliver, context: TaskContext) -> Delivered:
        """Gives the parent what the task run came to, exactly once."""
        is_sent_before = context.saved == _SENDING
        context.progress(_SENDING)
        outcome = _outcome(order, is_refused=context.headers.get(DELIVER_HEADER) == _REFUSAL)
        try:
            is_taken = await self.parents.deliver(order.task, outcome)
        except EngineError:
            _log.exception("the outcome of task %s cannot be delivered", order.task.job_key)
            raise
        if is_taken:
            self.tally.add(delivered=1)
        output = dict(outcome.variables) if isinstance(outcome, Completed) else {}
        return Delivered(delivered="done" if is_taken or is_sent_before else "gone", output=output)

    async def _learn(self, task: Task, answer: Answer) -> Task:
        """The task as the person wants it: their inputs in front, their TDE named."""
        inputs = {**task.inputs, **(answer.inputs or {})}
        if answer.tde:
            try:
                await self.router.learn(task, answer.tde, chosen_by=answer.answered_by)
            except UsageError as error:
                _log.warning("the answer for task '%s' names no TDE: %s", task.name, error)
            return task.model_copy(update={"inputs": inputs, "headers": {**task.headers, TDE_HEADER: answer.tde}})
        return task.model_copy(update={"inputs": inputs})


def _given_up(order: ToRoute) -> Sequence[str]:
    """TDEs that failed twice are not found a third time; one that the task or a person names is asked all the same."""
    if order.answer is not None:
        return []
    tried, named = order.tried or [], order.task.headers.get(TDE_HEADER)
    return sorted({name for name in tried if tried.count(name) > 1 and name != named})


def _outcome(order: ToDeliver, *, is_refused: bool) -> Outcome:
    failure, plan = order.failure, order.plan or Plan(outcome="ask")
    if failure is None:
        return Completed(result_of(order.model_extra or {}, plan))
    message = failure.message or failure.code or "the task could not be done"
    if failure.thrown and failure.code:
        return ErrorThrown(failure.code, message)
    # A person who refuses a task does not want to be asked again.
    left = 0 if is_refused else max(0, order.task.retries - max(1, order.attempt))
    return Failed(f"{plan.tde or 'the task'}: {message}", retries=left)
