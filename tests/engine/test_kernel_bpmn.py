"""The kernel's own processes on the real engine, each path played with workers made by hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from anyio import create_task_group
from pydantic import BaseModel

from procos.authoring.tde_process import process_id, tde_process
from procos.errors import EngineNotFound
from procos.kernel.instance_progress import InstanceProgress
from procos.model.deployment import Resource
from procos.model.job import Job
from procos.sdk import tde
from procos.wiring.engines import EngineSession
from tests.engine.conftest import Procos
from tests.engine.played import Stage, completed

pytestmark = [pytest.mark.engine, pytest.mark.anyio]

LONG = "PT1H"
QUICK = "PT0.1S"


@pytest.fixture
def stage(session: EngineSession, shared: Procos) -> Iterator[Stage]:
    stage = Stage(session, shared.home / "engine" / "records" / "records.jsonl")
    yield stage
    stage.close()


# ------------------------------------------------------------------ pdo


async def first_beat(stage: Stage, **variables: object) -> Job:
    await stage.deploy("kernel/pdo.bpmn")
    assert await stage.tell("procos.pdo.start", stage.prefix, pdoKey=stage.prefix, **variables)
    return await stage.take("procos.pdo.scan")


async def hand_over(stage: Stage, job: Job) -> set[str]:
    """Ends the heartbeat in its proper way, at its next hand-over."""
    await stage.complete(await stage.take("procos.pdo.succeed"))
    return completed(await stage.end_of(job.process_instance_key))


async def test_one_heartbeat_lives_for_a_key(stage: Stage) -> None:
    job = await first_beat(stage)
    await stage.tell("procos.pdo.start", stage.prefix, pdoKey=stage.prefix)
    await stage.complete(job, found=0, handedOver=0, isFull=True, pause=LONG)
    again = await stage.take("procos.pdo.scan")
    assert again.process_instance_key == job.process_instance_key
    assert await stage.has_none("procos.pdo.scan")
    await stage.session.engine.cancel_instance(job.process_instance_key)


async def test_a_full_batch_is_followed_by_the_next_scan_at_once(stage: Stage) -> None:
    job = await first_beat(stage)
    await stage.complete(job, found=200, handedOver=200, isFull=True, pause=LONG)
    second = await stage.take("procos.pdo.scan")
    assert second.variables["beat"] == 1
    assert (second.variables["pause"], second.variables["isFull"]) == (LONG, False)
    await stage.session.engine.cancel_instance(job.process_instance_key)


async def test_the_timer_ends_the_wait(stage: Stage) -> None:
    job = await first_beat(stage)
    await stage.complete(job, found=0, handedOver=0, isFull=False, pause=QUICK)
    assert (await stage.take("procos.pdo.scan")).variables["beat"] == 1
    await stage.session.engine.cancel_instance(job.process_instance_key)


async def test_a_wake_message_ends_the_wait(stage: Stage) -> None:
    job = await first_beat(stage)
    await stage.complete(job, found=0, handedOver=0, isFull=False, pause=LONG)
    await stage.tell("procos.pdo.wake", stage.prefix, ttl=timedelta(seconds=20))
    assert (await stage.take("procos.pdo.scan")).variables["beat"] == 1
    await stage.session.engine.cancel_instance(job.process_instance_key)


async def test_a_wake_message_for_another_heartbeat_does_not(stage: Stage) -> None:
    job = await first_beat(stage)
    await stage.complete(job, found=0, handedOver=0, isFull=False, pause=LONG)
    await stage.tell("procos.pdo.wake", f"not-{stage.prefix}", ttl=timedelta(seconds=5))
    assert await stage.has_none("procos.pdo.scan")
    await stage.session.engine.cancel_instance(job.process_instance_key)


async def test_after_enough_beats_the_next_heartbeat_takes_over(stage: Stage) -> None:
    job = await first_beat(stage, maxBeats=1, successions=4)
    await stage.complete(job, found=0, handedOver=0, isFull=True, pause=QUICK)
    succeed = await stage.take("procos.pdo.succeed")
    assert (succeed.variables["beat"], succeed.variables["successions"]) == (1, 4)
    # What the worker of this job does: the message waits until this instance has ended.
    await stage.tell(
        "procos.pdo.start", stage.prefix, ttl=timedelta(minutes=1), pdoKey=stage.prefix, successions=5, maxBeats=7
    )
    await stage.complete(succeed)
    assert "handed-over" in completed(await stage.end_of(job.process_instance_key))
    heir = await stage.take("procos.pdo.scan")
    assert heir.process_instance_key != job.process_instance_key
    assert (heir.variables["beat"], heir.variables["successions"], heir.variables["maxBeats"]) == (0, 5, 7)
    await stage.session.engine.cancel_instance(heir.process_instance_key)


async def test_a_failed_hand_over_is_tried_again_after_a_wait(stage: Stage) -> None:
    job = await first_beat(stage, maxBeats=1)
    await stage.complete(job, found=0, handedOver=0, isFull=True, pause=QUICK)
    await stage.throw(await stage.take("procos.pdo.succeed"), "PDO_SUCCEED_FAILED")
    assert {"handed-over", "succeed-failed", "recover"} <= await hand_over(stage, job)


@pytest.mark.parametrize("code", ["PDO_SCAN_FAILED", "SOMETHING_ELSE"])
async def test_a_failed_scan_is_followed_by_the_next_beat_after_a_wait_that_grows(stage: Stage, code: str) -> None:
    job = await first_beat(stage, maxBeats=2)
    await stage.throw(job, code, errorCode=code, errorMessage="disk full")
    second = await stage.take("procos.pdo.scan")
    assert {name: second.variables[name] for name in ("beat", "failures", "pause")} == {
        "beat": 1, "failures": 1, "pause": "PT2S",
    }  # fmt: skip
    await stage.throw(second, code)
    succeed = await stage.take("procos.pdo.succeed")
    assert (succeed.variables["failures"], succeed.variables["pause"]) == (2, "PT4S")
    await stage.complete(succeed)
    assert "scan-failed" in completed(await stage.end_of(job.process_instance_key))


async def test_a_scan_that_is_well_again_forgets_the_failures(stage: Stage) -> None:
    job = await first_beat(stage)
    await stage.throw(job, "PDO_SCAN_FAILED")
    await stage.complete(await stage.take("procos.pdo.scan"), found=0, handedOver=0, isFull=True, pause=QUICK)
    assert (await stage.take("procos.pdo.scan")).variables["failures"] == 0
    await stage.session.engine.cancel_instance(job.process_instance_key)


ODD: list[dict[str, Any]] = [
    {},
    {"found": None, "handedOver": None, "isFull": None, "pause": None},
    {"isFull": "yes", "pause": "soon"},
    {"isFull": 1, "pause": 5},
    {"isFull": [], "pause": {"seconds": 1}},
    {"pause": "-PT5S"},
    {"pause": "PT0S"},
    {"pause": "P1M"},
    {"pause": "P99999999999D"},
    {"pause": "PT2H"},
    {"beat": "many", "maxBeats": "some", "failures": {}, "pdoKey": None, "pause": QUICK},
]


@pytest.mark.parametrize("given", ODD, ids=str)
async def test_whatever_a_scan_gives_back_the_next_beat_comes(stage: Stage, given: dict[str, Any]) -> None:
    job = await first_beat(stage, maxBeats=1)
    await stage.complete(job, **given)
    assert "scan" in await hand_over(stage, job)


@pytest.mark.parametrize(
    "given", [{"maxBeats": None}, {"maxBeats": "x", "successions": []}, {"maxBeats": -1, "pause": 7}], ids=str
)
async def test_whatever_the_start_message_says_the_heartbeat_begins(stage: Stage, given: dict[str, Any]) -> None:
    job = await first_beat(stage, **given)
    assert (job.variables["beat"], job.variables["maxBeats"]) == (0, 1000)
    assert isinstance(job.variables["successions"], int)
    await stage.session.engine.cancel_instance(job.process_instance_key)


async def test_a_scan_that_nobody_answers_is_given_up_even_with_an_incident(stage: Stage) -> None:
    await stage.deploy("kernel/pdo.bpmn", instead={'duration("PT5M")': 'duration("PT1S")'})
    await stage.tell("procos.pdo.start", stage.prefix, pdoKey=stage.prefix)
    job = await stage.take("procos.pdo.scan")
    await stage.fail(job)  # by hand, past the runtime: an incident
    again = await stage.take("procos.pdo.scan")
    assert (again.process_instance_key, again.variables["failures"]) == (job.process_instance_key, 1)
    await stage.session.engine.cancel_instance(job.process_instance_key)


# ------------------------------------------------------------------ watchdog


async def watch(stage: Stage, **instead: str) -> Job:
    await stage.deploy("kernel/watchdog.bpmn", instead={"R/PT30S": "R1/PT1S", **instead})
    return await stage.take("procos.pdo.revive")


async def test_the_watchdog_asks_for_a_heartbeat_and_ends(stage: Stage) -> None:
    job = await watch(stage)
    await stage.complete(job)
    assert "watched" in completed(await stage.end_of(job.process_instance_key))


async def test_a_watchdog_that_fails_ends_without_an_incident(stage: Stage) -> None:
    job = await watch(stage)
    await stage.throw(job, "PDO_REVIVE_FAILED")
    assert "next-time" in completed(await stage.end_of(job.process_instance_key))


async def test_a_watchdog_ends_where_no_kernel_runs(stage: Stage) -> None:
    job = await watch(stage, PT25S="PT1S")
    assert "no-kernel" in completed(await stage.end_of(job.process_instance_key))


# ------------------------------------------------------------------ task-run

TASK = {"job_key": 7, "correlation_id": "run-7", "name": "Weigh the parcel", "documentation": "", "retries": 3}


class Weigh(BaseModel):
    parcel: str


class Weighed(BaseModel):
    grams: int


@dataclass
class TaskRun:
    """A task run of one test, and the process of the TDE that it calls."""

    stage: Stage
    tde: str

    async def detected(self, **variables: object) -> Job:
        """Has a task detected, and takes its first route job."""
        await self.stage.deploy("kernel/task-run.bpmn")
        given = {"procosTask": TASK, "procosRenewEvery": "PT1H", "correlationId": "run-7", **variables}
        await self.stage.tell("procos.task.detected", self.stage.prefix, **given)
        return await self.stage.take("procos.task.route")

    async def routed(self, job: Job, **route: object) -> Job:
        """Answers a route job with this TDE, and takes the TDE's job."""
        await self.stage.complete(job, parcel="p1", procosRoute=self.route(**route))
        return await self.execute()

    async def execute(self) -> Job:
        return await self.stage.take("tde.weigh")

    def route(self, **changes: object) -> dict[str, Any]:
        usual = {"outcome": "run", "tde": self.tde, "process_id": process_id(self.tde), "attempts": 1,
                 "backoff": QUICK, "on_failure": "fail", "undo_job_type": None}  # fmt: skip
        return {**usual, **changes}

    async def delivered(self, *, delivered: str = "done", **given: object) -> Job:
        """Takes the deliver job and completes it."""
        job = await self.stage.take("procos.task.deliver")
        await self.stage.complete(job, procosDelivered=delivered, **given)
        return job

    async def ended(self, job: Job) -> set[str]:
        return completed(await self.end_of(job))

    async def end_of(self, job: Job) -> InstanceProgress:
        """What the run did; a lease that fell due in its last moment is kept, for the run waits for that."""
        async with create_task_group() as keeping:
            keeping.start_soon(self.stage.complete_all, "procos.task.keep")
            progress = await self.stage.end_of(job.process_instance_key)
            keeping.cancel_scope.cancel()
        return progress


@pytest.fixture
async def run(stage: Stage) -> TaskRun:
    name = f"{stage.prefix}weigh"

    @tde(name, description="Weighs a parcel", job_type=f"{stage.prefix}tde.weigh")
    def weigh(order: Weigh) -> Weighed:
        raise NotImplementedError(order)

    text = tde_process(weigh.manifest())
    await stage.session.engine.deploy([Resource(f"{name}.bpmn", text.encode())])
    return TaskRun(stage, name)


async def test_the_result_of_the_tde_is_delivered(run: TaskRun) -> None:
    route = await run.detected()
    assert route.variables["procosTask"] == TASK
    assert route.variables["correlationId"] == "run-7"
    assert set(route.variables) == {"procosTask", "procosRenewEvery", "correlationId"}
    job = await run.routed(route)
    assert job.variables["parcel"] == "p1"
    await run.stage.complete(job, grams=250)
    deliver = await run.delivered()
    assert (deliver.variables["grams"], deliver.variables["procosError"]) == (250, None)
    assert deliver.custom_headers["deliver"] == "result"
    assert "delivered" in await run.ended(route)


async def test_a_failure_is_delivered_with_its_message(run: TaskRun) -> None:
    route = await run.detected()
    job = await run.routed(route)
    await run.stage.throw(job, "TDE_FAILED", errorCode="TDE_FAILED", errorMessage="the scales are broken")
    deliver = await run.delivered()
    assert deliver.variables["procosError"] == {"code": "TDE_FAILED", "message": "the scales are broken"}
    assert deliver.variables["procosTried"] == [run.tde]
    assert deliver.custom_headers["deliver"] == "failure"
    assert "failure-delivered" in await run.ended(route)


async def test_an_error_that_the_tde_throws_is_delivered_as_one(run: TaskRun) -> None:
    route = await run.detected()
    job = await run.routed(route, attempts=3, on_failure="ask")
    await run.stage.throw(job, "TOO_HEAVY", errorCode="TOO_HEAVY", errorMessage="31 kg")
    deliver = await run.delivered()
    assert deliver.variables["procosError"] == {"code": "TOO_HEAVY", "message": "31 kg", "thrown": True}
    assert deliver.custom_headers["deliver"] == "error"
    assert "error-delivered" in await run.ended(route)


async def test_a_failed_attempt_is_routed_again_with_what_is_known_now(run: TaskRun) -> None:
    route = await run.detected()
    job = await run.routed(route, attempts=2)
    await run.stage.throw(job, "TDE_FAILED", errorMessage="no")
    again = await run.stage.take("procos.task.route")
    known = {name: again.variables[name] for name in ("procosAttempt", "procosError", "procosTried", "tdeErrorCode")}
    assert known == {
        "procosAttempt": 2,
        "procosError": {"code": "TDE_FAILED", "message": "no"},
        "procosTried": [run.tde],
        "tdeErrorCode": None,
    }
    await run.stage.complete(again, parcel="p2", procosRoute=run.route(attempts=2))
    second = await run.execute()
    assert second.variables["parcel"] == "p2"
    await run.stage.complete(second, grams=1)
    assert (await run.delivered()).variables["procosError"] is None
    assert {"backoff", "delivered"} <= await run.ended(route)


async def test_after_the_last_attempt_the_failure_is_delivered(run: TaskRun) -> None:
    route = await run.detected()
    await run.stage.throw(await run.routed(route, attempts=2), "TDE_FAILED", errorMessage="one")
    second = await run.routed(await run.stage.take("procos.task.route"), attempts=2)
    await run.stage.throw(second, "TDE_FAILED", errorMessage="two")
    deliver = await run.delivered()
    assert deliver.variables["procosError"]["message"] == "two"
    assert deliver.variables["procosTried"] == [run.tde, run.tde]
    await run.ended(route)


async def test_a_failure_may_lead_to_a_person(run: TaskRun) -> None:
    route = await run.detected()
    await run.stage.throw(await run.routed(route, on_failure="ask"), "TDE_FAILED", errorMessage="no")
    person = await run.stage.take_user_task(route.process_instance_key)
    assert person.variables["procosError"]["message"] == "no"
    await run.stage.complete(person, procosAnswer={"action": "run", "tde": run.tde})
    again = await run.stage.take("procos.task.route")
    assert (again.variables["procosAnswer"]["tde"], again.variables["tdeErrorCode"]) == (run.tde, None)
    await run.stage.complete(await run.routed(again), grams=3)
    assert (await run.delivered()).variables["grams"] == 3
    await run.ended(route)


async def test_a_failure_may_be_undone_before_it_is_delivered(run: TaskRun) -> None:
    route = await run.detected()
    undo = f"{run.stage.prefix}tde.weigh.undo"
    job = await run.routed(route, on_failure="compensate", undo_job_type=undo)
    await run.stage.throw(job, "TDE_FAILED", errorMessage="half way")
    undoing = await run.stage.take("tde.weigh.undo")
    assert (undoing.variables["parcel"], undoing.variables["output"]) == ("p1", {})
    await run.stage.complete(undoing)
    assert (await run.delivered()).variables["procosError"]["message"] == "half way"
    assert {"undo-begun", "failure-delivered"} <= await run.ended(route)


async def test_a_tde_without_undo_is_not_undone(run: TaskRun) -> None:
    route = await run.detected()
    await run.stage.throw(await run.routed(route, on_failure="compensate"), "TDE_FAILED", errorMessage="no")
    await run.delivered()
    assert "undo-begun" not in await run.ended(route)


async def test_a_result_that_nobody_wants_is_undone(run: TaskRun) -> None:
    route = await run.detected()
    await run.stage.complete(await run.routed(route, undo_job_type=f"{run.stage.prefix}tde.weigh.undo"), grams=9)
    await run.delivered(delivered="gone", procosOutput={"grams": 9})
    undoing = await run.stage.take("tde.weigh.undo")
    assert undoing.variables["output"] == {"grams": 9}
    await run.stage.complete(undoing)
    assert "undone" in await run.ended(route)


async def test_a_result_that_nobody_wants_and_nobody_can_undo_is_left(run: TaskRun) -> None:
    route = await run.detected()
    await run.stage.complete(await run.routed(route), grams=9)
    await run.delivered(delivered="gone")
    assert "delivered" in await run.ended(route)


async def test_where_the_parent_is_gone_nothing_is_done(run: TaskRun) -> None:
    route = await run.detected()
    await run.stage.complete(route, procosRoute={"outcome": "gone"})
    assert "parent-gone" in await run.ended(route)


@pytest.mark.parametrize(
    "route",
    [
        {"outcome": "ask", "reasons": ["two TDEs fit equally well"]},
        {"outcome": "run", "process_id": None},
        {"outcome": 5},
        {},
        None,
        "nonsense",
    ],
    ids=str,
)
async def test_where_the_router_is_not_sure_a_person_is_asked(run: TaskRun, route: object) -> None:
    first = await run.detected()
    await run.stage.complete(first, procosRoute=route)
    person = await run.stage.take_user_task(first.process_instance_key)
    assert person.custom_headers["io.camunda.zeebe:formKey"] == "camunda-forms:bpmn:who-should-do-this"
    await run.stage.complete(person, procosAnswer={"action": "fail", "why": "not our business"})
    deliver = await run.delivered()
    assert deliver.variables["procosError"] == {"code": "PROCOS_REFUSED", "message": "not our business"}
    assert deliver.custom_headers["deliver"] == "refusal"
    assert "refused" in await run.ended(first)


@pytest.mark.parametrize("answer", [{}, {"procosAnswer": None}, {"procosAnswer": "yes"}], ids=str)
async def test_an_answer_that_says_nothing_is_routed_again(run: TaskRun, answer: dict[str, Any]) -> None:
    first = await run.detected()
    await run.stage.complete(first, procosRoute={"outcome": "ask"})
    await run.stage.complete(await run.stage.take_user_task(first.process_instance_key), **answer)
    again = await run.stage.take("procos.task.route")
    await run.stage.complete(again, procosRoute={"outcome": "gone"})
    await run.ended(first)


async def test_a_router_that_fails_leads_to_a_person(run: TaskRun) -> None:
    route = await run.detected()
    await run.stage.throw(route, "PROCOS_ROUTE_FAILED", errorCode="PROCOS_ROUTE_FAILED", errorMessage="no catalogue")
    person = await run.stage.take_user_task(route.process_instance_key)
    assert person.variables["procosError"] == {"code": "PROCOS_ROUTE_FAILED", "message": "no catalogue"}
    await run.stage.complete(person, procosAnswer={"action": "fail"})
    await run.delivered()
    assert "route-failed" in await run.ended(route)


@pytest.mark.parametrize("route", [{"attempts": None}, {"attempts": "3"}, {"on_failure": 7}, {"on_failure": "other"}])
async def test_a_route_that_says_nothing_usable_about_failures_means_fail(run: TaskRun, route: dict[str, Any]) -> None:
    first = await run.detected()
    await run.stage.throw(await run.routed(first, **route), "TDE_FAILED", errorMessage="no")
    await run.delivered()
    assert "failure-delivered" in await run.ended(first)


@pytest.mark.parametrize("backoff", [None, "soon", 3, "-PT1S"], ids=str)
async def test_a_wait_that_is_none_is_five_seconds(run: TaskRun, backoff: object) -> None:
    first = await run.detected()
    await run.stage.throw(await run.routed(first, attempts=2, backoff=backoff), "TDE_FAILED", errorMessage="no")
    again = await run.stage.take("procos.task.route")
    await run.stage.complete(again, procosRoute={"outcome": "gone"})
    await run.ended(first)


async def test_the_lease_is_kept_as_often_as_the_message_says(run: TaskRun) -> None:
    route = await run.detected(procosRenewEvery="PT1S")
    for _ in range(2):
        keep = await run.stage.take("procos.task.keep", wait=timedelta(seconds=10))  # 20 s where it was not read
        assert keep.variables["procosTask"] == TASK
        await run.stage.complete(keep)
    await run.stage.complete(route, procosRoute={"outcome": "gone"})
    progress = await run.end_of(route)
    assert progress.steps["keep"].times >= 2
    assert progress.status == "completed"


async def test_a_lease_that_cannot_be_kept_is_tried_again(run: TaskRun) -> None:
    route = await run.detected(procosRenewEvery="PT1S")
    await run.stage.throw(await run.stage.take("procos.task.keep"), "PROCOS_KEEP_FAILED")
    await run.stage.complete(await run.stage.take("procos.task.keep"))
    await run.stage.complete(route, procosRoute={"outcome": "gone"})
    assert "not-kept" in await run.ended(route)


@pytest.mark.parametrize("every", [None, "often", 5, "PT0S", "-PT1S", "P1M"], ids=str)
async def test_a_run_begins_whatever_the_message_says_about_the_lease(run: TaskRun, every: object) -> None:
    route = await run.detected(procosRenewEvery=every)
    await run.stage.complete(route, procosRoute={"outcome": "gone"})
    assert "parent-gone" in await run.ended(route)


async def test_one_run_lives_for_a_job(run: TaskRun) -> None:
    route = await run.detected()
    await run.stage.tell("procos.task.detected", run.stage.prefix, procosTask=TASK)
    assert await run.stage.has_none("procos.task.route")
    await run.stage.complete(route, procosRoute={"outcome": "gone"})
    await run.ended(route)


async def test_a_cancelled_run_takes_what_it_called_along(run: TaskRun) -> None:
    route = await run.detected()
    job = await run.routed(route)
    await run.stage.session.engine.cancel_instance(route.process_instance_key)
    with pytest.raises(EngineNotFound):
        await run.stage.complete(job, grams=1)
