"""The jobs of a task run: routed, kept, delivered."""

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from procos.errors import EngineOverloaded, EngineRejected, EngineUnavailable, RetryLater
from procos.kernel.heartbeat.options import HeartbeatOptions
from procos.kernel.heartbeat.parent import Parents
from procos.kernel.heartbeat.tally import Tally
from procos.kernel.heartbeat.task_run import Answer, Failure, TaskRuns, ToDeliver, ToRoute
from procos.model.catalogue import CatalogueEntry
from procos.model.job import Completed, ErrorThrown, Failed, Outcome
from procos.model.routing import RoutingDecision
from procos.model.task import Task
from procos.sdk.context import JobLink, NoConfig, TaskContext
from procos.testing import FakeEngine
from tests.unit.kernel.heartbeat.test_plan import ENTRY
from tests.unit.workers.context import task_context

pytestmark = pytest.mark.anyio


class ListRouter:
    """Routes to the first TDE of a list that is not ruled out, and keeps what it learns."""

    def __init__(self, *tdes: str) -> None:
        self.tdes = tdes
        self.routed: list[Task] = []
        self.not_again: Collection[str] = ()
        self.learned: list[tuple[str, str, str]] = []

    async def route(self, task: Task, *, not_again: Collection[str] = ()) -> RoutingDecision:
        self.routed.append(task)
        self.not_again = not_again
        named = task.headers.get("tde")
        found = named or next((it for it in self.tdes if it not in not_again), None)
        return RoutingDecision(tde=found, stage="task", confidence=1.0, inputs={"url": "x"} if found else {})

    async def learn(self, task: Task, tde: str, *, chosen_by: str) -> None:
        self.learned.append((task.name, tde, chosen_by))


class Runs:
    """Task runs on a FakeEngine with one waiting task."""

    def __init__(self, *tdes: str, retries: int = 3, **options: Any) -> None:
        self.engine = FakeEngine()
        self.router = ListRouter(*tdes)
        self.tally = Tally()
        self.key = self.engine.add_job("procos.task", {"mine": 1}, retries=retries)
        self.runs = TaskRuns(
            engine=self.engine,
            parents=Parents(jobs=self.engine, options=HeartbeatOptions(**options)),
            router=self.router,
            entry_of={"http": ENTRY, "grpc": _called("grpc")}.get,
            undo_of={"http": "tde.http.undo"}.get,
            tally=self.tally,
        )

    async def take(self) -> Task:
        (job,) = await self.engine.activate("procos.task", worker="w", max_jobs=1, lease=timedelta(minutes=1))
        return Task(
            job_key=job.key, job_type=job.type, correlation_id="c", process_instance_key=job.process_instance_key,
            process_definition_id="p", process_definition_key=2, process_definition_version=1, element_id="e",
            element_instance_key=3, name="Call it", inputs=dict(job.variables), retries=job.retries,
        )  # fmt: skip

    @property
    def outcome(self) -> Outcome:
        ((_, outcome),) = self.engine.outcomes
        return outcome

    @property
    def instance_key(self) -> int:
        return self.engine.instances[0].key


def _called(name: str) -> CatalogueEntry:
    return ENTRY.model_copy(update={"name": name, "process_id": f"tde-{name}"})


def to_route(task: Task, **more: Any) -> ToRoute:
    return ToRoute(procosTask=task, **more)


def to_deliver(task: Task, **variables: Any) -> ToDeliver:
    return ToDeliver(procosTask=task, procosRoute={"outcome": "run", "tde": "http", "outputs": ["body"]}, **variables)


def sending(saved: Any = None) -> tuple[TaskContext[NoConfig], list[Any]]:
    kept: list[Any] = []
    return task_context(NoConfig(), Path(), saved=saved, link=JobLink(keep=kept.append)), kept


async def test_a_task_is_routed_and_its_lease_begins_anew():
    runs = Runs("http")
    routed = await runs.runs.route(to_route(await runs.take()))
    given = routed.model_dump(mode="json", by_alias=True)
    assert given.keys() == {"procosRoute", "url"}
    assert (given["procosRoute"]["process_id"], given["url"]) == ("tde-http", "x")
    assert runs.engine.renewals == [runs.key]
    assert runs.tally.report.routed == 1


async def test_nobody_being_sure_leaves_it_to_a_person():
    runs = Runs()
    assert (await runs.runs.route(to_route(await runs.take()))).plan.outcome == "ask"
    assert runs.tally.report.abstained == 1


async def test_a_parent_that_ended_needs_nobody():
    runs = Runs("http")
    task = await runs.take()
    await runs.engine.cancel_instance(runs.instance_key)
    assert (await runs.runs.route(to_route(task))).plan.outcome == "gone"


async def test_a_lease_that_was_over_does_not_end_the_task_run():
    runs = Runs("http")
    task = await runs.take()
    runs.engine.refuse("renew", EngineRejected("it is not activated", reason="state"))
    assert (await runs.runs.route(to_route(task))).plan.outcome == "run"


async def test_a_tde_that_failed_twice_is_not_asked_again():
    runs = Runs("http", "grpc")
    task = await runs.take()
    assert (await runs.runs.route(to_route(task, procosTried=["http"]))).plan.tde == "http"
    assert (await runs.runs.route(to_route(task, procosTried=["http", "http"]))).plan.tde == "grpc"


async def test_a_tde_that_the_task_names_is_asked_as_often_as_the_task_wants():
    runs = Runs("http", "grpc")
    task = (await runs.take()).model_copy(update={"headers": {"tde": "http", "retryAttempts": "4"}})
    tried = ["http", "grpc", "http", "grpc", "http"]
    assert (await runs.runs.route(to_route(task, procosTried=tried))).plan.tde == "http"
    assert runs.router.not_again == ["grpc"]


async def test_a_persons_answer_is_learned_and_followed():
    runs = Runs()
    task = await runs.take()
    answer = Answer(tde="http", inputs={"mine": 2}, answeredBy="ann")
    routed = await runs.runs.route(to_route(task, procosAnswer=answer, procosTried=["http", "http"]))
    assert (routed.plan.outcome, routed.plan.tde) == ("run", "http")
    assert runs.router.learned == [("Call it", "http", "ann")]
    assert runs.router.routed[0].inputs == {"mine": 2}


async def test_a_lease_is_tried_for_while_the_engine_is_overloaded():
    runs = Runs("http")
    task = await runs.take()
    runs.engine.refuse("renew", EngineOverloaded("busy"))
    await runs.runs.route(to_route(task))
    assert runs.engine.renewals == [runs.key]


async def test_an_engine_that_is_away_for_long_uses_up_no_retry():
    runs = Runs("http", patience=timedelta(0))
    task = await runs.take()
    runs.engine.refuse("renew", EngineUnavailable("gone"))
    with pytest.raises(RetryLater) as later:
        await runs.runs.route(to_route(task))
    assert later.value.keep_retries


async def test_keeping_renews_the_lease():
    runs = Runs()
    await runs.runs.keep(await runs.take(), task_run_key=99)
    assert runs.engine.renewals == [runs.key]


async def test_a_task_run_without_a_parent_is_cancelled():
    runs = Runs()
    task = await runs.take()
    await runs.engine.cancel_instance(runs.instance_key)
    run = await runs.engine.create_instance("procos.task")
    await runs.runs.keep(task, task_run_key=run.key)
    assert runs.engine.instance(run.key).status == "cancelled"
    await runs.runs.keep(task, task_run_key=run.key)  # cancelled twice is cancelled


async def test_the_result_completes_the_parents_job():
    runs = Runs()
    context, kept = sending()
    delivered = await runs.runs.deliver(to_deliver(await runs.take(), body="b", url="x"), context)
    assert runs.outcome == Completed({"body": "b"})
    assert (delivered.delivered, delivered.output, kept) == ("done", {"body": "b"}, ["sending"])
    assert runs.tally.report.delivered == 1


async def test_a_bpmn_error_is_thrown_at_the_parent():
    runs = Runs()
    failure = Failure(code="NOT_ENOUGH", message="only 3", thrown=True)
    await runs.runs.deliver(to_deliver(await runs.take(), procosError=failure), sending()[0])
    assert runs.outcome == ErrorThrown("NOT_ENOUGH", "only 3")


async def test_a_failure_leaves_the_parent_what_remains_of_its_retries():
    runs = Runs(retries=3)
    failure = Failure(code="TDE_FAILED", message="refused")
    await runs.runs.deliver(to_deliver(await runs.take(), procosError=failure, procosAttempt=2), sending()[0])
    assert runs.outcome == Failed("http: refused", retries=1)


async def test_what_a_person_refused_is_not_tried_again():
    runs = Runs(retries=3)
    refusing = task_context(NoConfig(), Path(), headers={"deliver": "refusal"})
    failure = Failure(code="PROCOS_REFUSED", message="not now")
    await runs.runs.deliver(to_deliver(await runs.take(), procosError=failure), refusing)
    assert runs.outcome == Failed("http: not now", retries=0)


async def test_a_parent_that_ended_before_delivery_is_told_apart():
    runs = Runs()
    task = await runs.take()
    await runs.engine.cancel_instance(runs.instance_key)
    assert (await runs.runs.deliver(to_deliver(task, body="b"), sending()[0])).delivered == "gone"


async def test_what_was_sent_before_a_crash_counts_as_delivered():
    runs = Runs()
    task = await runs.take()
    await runs.engine.cancel_instance(runs.instance_key)
    assert (await runs.runs.deliver(to_deliver(task, body="b"), sending("sending")[0])).delivered == "done"


async def test_delivery_waits_out_backpressure():
    runs = Runs()
    task = await runs.take()
    runs.engine.refuse("deliver", EngineOverloaded("busy"))
    with pytest.raises(RetryLater):
        await runs.runs.deliver(to_deliver(task, body="b"), sending()[0])
    assert runs.engine.outcomes == []


async def test_a_result_that_the_engine_refuses_becomes_an_incident_of_the_parent():
    runs = Runs()
    task = await runs.take()
    runs.engine.refuse("deliver", EngineRejected("larger than 4 MiB", reason="size"))
    await runs.runs.deliver(to_deliver(task, body="b"), sending()[0])
    assert "larger than 4 MiB" in runs.engine.incidents[0].message
