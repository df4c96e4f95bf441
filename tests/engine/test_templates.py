"""The templates in bpmn/templates/ on the real engine: each path that they draw, with workers made by hand."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest

from procos.kernel.instance_progress import InstanceProgress
from procos.model.deployment import Resource
from procos.model.job import Job
from procos.wiring.engines import EngineSession
from tests.engine.conftest import Procos
from tests.engine.played import Stage, completed

pytestmark = [pytest.mark.engine, pytest.mark.anyio]

PLAIN = "procos.task"
QUICK = "PT0.5S"
ORDER: dict[str, Any] = {"orderId": "o-1", "items": ["pear"], "customer": "c-1", "payments": ["card", "invoice"]}

_SIGNAL = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" id="definitions" targetNamespace="tests">
  <bpmn:signal id="signal" name={name}/>
  <bpmn:process id={id} isExecutable="true">
    <bpmn:startEvent id="start"><bpmn:outgoing>to-end</bpmn:outgoing></bpmn:startEvent>
    <bpmn:sequenceFlow id="to-end" sourceRef="start" targetRef="end"/>
    <bpmn:endEvent id="end"><bpmn:incoming>to-end</bpmn:incoming>
      <bpmn:signalEventDefinition id="definition" signalRef="signal"/></bpmn:endEvent>
  </bpmn:process>
</bpmn:definitions>
"""


@pytest.fixture
def stage(session: EngineSession, shared: Procos) -> Iterator[Stage]:
    stage = Stage(session, shared.home / "engine" / "records" / "records.jsonl")
    yield stage
    stage.close()


async def start(stage: Stage, file: str, **variables: object) -> int:
    """Deploys a copy of a template and starts it; the instance's key."""
    process = await stage.deploy(f"templates/{file}")
    return (await stage.session.engine.create_instance(process, variables=variables)).key


async def task(stage: Stage, element_id: str) -> Job:
    """The next plain task, which must be that one."""
    job = await stage.take(PLAIN)
    assert job.element_id == element_id
    return job


async def do(stage: Stage, element_id: str, **given: object) -> None:
    await stage.complete(await task(stage, element_id), **given)


# ------------------------------------------------------------------ governance


async def outcome(stage: Stage, key: int) -> tuple[Any, InstanceProgress]:
    progress = await stage.end_of(key)
    return progress.variables.get("outcome"), progress


async def test_timeout_work_in_time_is_done(stage: Stage) -> None:
    key = await start(stage, "governance/timeout.bpmn")
    await do(stage, "work")
    assert (await outcome(stage, key))[0] == "done"


async def test_timeout_warns_first_and_gives_up_then(stage: Stage) -> None:
    key = await start(stage, "governance/timeout.bpmn", warnAfter="PT1S", giveUpAfter="PT3S")
    await task(stage, "work")
    await do(stage, "warn")
    said, progress = await outcome(stage, key)
    assert said == "too late"
    assert {"warned", "given-up"} <= completed(progress)
    assert progress.steps["work"].status == "terminated"


@pytest.mark.parametrize("limit", [None, "soon", -1], ids=str)
async def test_timeout_a_limit_that_is_none_is_the_usual_one(stage: Stage, limit: object) -> None:
    key = await start(stage, "governance/timeout.bpmn", warnAfter=limit, giveUpAfter=limit)
    await do(stage, "work")
    assert (await outcome(stage, key))[0] == "done"


async def test_retry_tries_again_with_the_error_in_hand(stage: Stage) -> None:
    key = await start(stage, "governance/retry-with-backoff.bpmn", backoff="PT0.1S")
    first = await task(stage, "work")
    assert (first.variables["attempt"], first.variables["error"]) == (1, None)
    await stage.throw(first, "ATTEMPT_FAILED", errorMessage="no paper")
    second = await task(stage, "work")
    assert (second.variables["attempt"], second.variables["error"]) == (2, "no paper")
    await stage.complete(second)
    assert (await outcome(stage, key))[0] == "done"


async def test_retry_ends_after_the_last_attempt(stage: Stage) -> None:
    key = await start(stage, "governance/retry-with-backoff.bpmn", backoff="PT0.1S", attempts=2)
    for _ in range(2):
        await stage.throw(await task(stage, "work"), "ATTEMPT_FAILED", errorMessage="no paper")
    said, progress = await outcome(stage, key)
    assert (said, progress.variables["error"]) == ("failed", "no paper")


async def test_compensation_undoes_the_first_step_when_the_second_fails(stage: Stage) -> None:
    key = await start(stage, "governance/compensation.bpmn")
    await do(stage, "first")
    await stage.throw(await task(stage, "second"), "STEP_FAILED")
    await do(stage, "undo-first")
    assert (await outcome(stage, key))[0] == "undone"


async def test_compensation_undoes_nothing_when_all_is_well(stage: Stage) -> None:
    key = await start(stage, "governance/compensation.bpmn")
    await do(stage, "first")
    await do(stage, "second")
    said, progress = await outcome(stage, key)
    assert said == "done"
    assert "undo-first" not in progress.steps


async def test_iteration_limit_stops_when_it_is_good_enough(stage: Stage) -> None:
    key = await start(stage, "governance/iteration-limit.bpmn")
    await do(stage, "improve", isGoodEnough=False)
    await do(stage, "improve", isGoodEnough=True)
    said, progress = await outcome(stage, key)
    assert (said, progress.variables["iteration"]) == ("good enough", 2)


@pytest.mark.parametrize("never", [False, None, "maybe"], ids=str)
async def test_iteration_limit_stops_at_the_limit(stage: Stage, never: object) -> None:
    key = await start(stage, "governance/iteration-limit.bpmn", maxIterations=2)
    await do(stage, "improve", isGoodEnough=never)
    await do(stage, "improve", isGoodEnough=never)
    said, progress = await outcome(stage, key)
    assert (said, progress.variables["iteration"]) == ("limit", 2)


async def test_approval_lets_the_work_begin(stage: Stage) -> None:
    key = await start(stage, "governance/human-approval.bpmn", question="May we?")
    assert await stage.has_none(PLAIN)
    await stage.complete(await stage.take_user_task(key), answer="approved")
    await do(stage, "work")
    assert (await outcome(stage, key))[0] == "done"


@pytest.mark.parametrize("answer", [{"answer": "rejected", "comment": "too dear"}, {"answer": "yes?"}, {}], ids=str)
async def test_approval_anything_else_is_a_no(stage: Stage, answer: dict[str, Any]) -> None:
    key = await start(stage, "governance/human-approval.bpmn", question="May we?")
    await stage.complete(await stage.take_user_task(key), **answer)
    said, progress = await outcome(stage, key)
    assert (said, "work" in progress.steps) == ("rejected", False)


async def test_approval_no_answer_is_a_no(stage: Stage) -> None:
    key = await start(stage, "governance/human-approval.bpmn", question="May we?", answerWithin=QUICK)
    said, progress = await outcome(stage, key)
    assert (said, "work" in progress.steps) == ("unanswered", False)


async def test_budget_stops_before_a_step_that_it_cannot_pay(stage: Stage) -> None:
    key = await start(stage, "governance/budget.bpmn", budget=5, stepCost=2)
    await do(stage, "step", cost=2)
    await do(stage, "step", cost=1.5)
    said, progress = await outcome(stage, key)
    assert (said, progress.variables["spent"]) == ("out of budget", 3.5)


async def test_budget_a_step_that_does_not_say_its_cost_costs_what_a_step_costs(stage: Stage) -> None:
    key = await start(stage, "governance/budget.bpmn", budget=2)
    await do(stage, "step")
    await do(stage, "step", cost="much")
    said, progress = await outcome(stage, key)
    assert (said, progress.variables["spent"]) == ("out of budget", 2)


async def test_budget_what_is_done_ends_well(stage: Stage) -> None:
    key = await start(stage, "governance/budget.bpmn")
    await do(stage, "step", cost=3, isDone=True)
    said, progress = await outcome(stage, key)
    assert (said, progress.variables["spent"]) == ("done", 3)


# ------------------------------------------------------------------ a TDE in probabilistic mode


async def iterate(stage: Stage, result: str, **verdict: object) -> None:
    used = {"usedTokens": 100, "usedCost": 0.1}
    await stage.complete(await stage.take("procos.llm.analyze"), plan="think", **used)
    await stage.complete(await stage.take("procos.llm.act"), result=result, **used)
    await stage.complete(await stage.take("procos.llm.evaluate"), **{**used, **verdict})


async def ends(stage: Stage, key: int) -> tuple[Any, Any, set[str]]:
    progress = await stage.end_of(key)
    return progress.variables["stoppedBy"], progress.variables["result"], completed(progress)


async def test_llm_good_enough_is_the_output(stage: Stage) -> None:
    key = await start(stage, "tde-probabilistic.bpmn", goal="a poem")
    await iterate(stage, "bad", isGoodEnough=False, score=0.2, feedback="rhyme")
    await iterate(stage, "good", isGoodEnough=True, score=0.9)
    progress = await stage.end_of(key)
    kept = {name: progress.variables[name] for name in ("stoppedBy", "result", "iteration", "tokens")}
    assert kept == {"stoppedBy": "good enough", "result": "good", "iteration": 2, "tokens": 600}
    assert progress.variables["cost"] == pytest.approx(0.6)
    assert "output" in completed(progress)


@pytest.mark.parametrize(
    ("limit", "stopped_by"),
    [({"maxIterations": 2}, "iterations"), ({"maxTokens": 600}, "tokens"), ({"maxCost": 0.55}, "cost")],
    ids=str,
)
async def test_llm_at_a_limit_the_best_result_counts(stage: Stage, limit: dict[str, Any], stopped_by: str) -> None:
    key = await start(stage, "tde-probabilistic.bpmn", goal="a poem", **limit)
    await iterate(stage, "better", score=0.5)
    await iterate(stage, "worse", score=0.3)
    said, result, done = await ends(stage, key)
    assert (said, result, "best-so-far" in done) == (stopped_by, "better", True)


async def test_llm_at_a_limit_a_person_may_take_over(stage: Stage) -> None:
    key = await start(stage, "tde-probabilistic.bpmn", goal="a poem", maxIterations=1, onLimit="ask")
    await iterate(stage, "bad", score=0.5)
    await stage.complete(await stage.take_user_task(key), result="by hand")
    said, result, done = await ends(stage, key)
    assert (said, result, "by-person" in done) == ("a person", "by hand", True)


async def test_llm_out_of_time_keeps_the_best_result(stage: Stage) -> None:
    key = await start(stage, "tde-probabilistic.bpmn", goal="a poem", timeLimit="PT2S")
    await iterate(stage, "first try", score=0.4)
    said, result, _ = await ends(stage, key)
    assert (said, result) == ("time", "first try")


async def test_llm_without_any_result_a_person_is_asked(stage: Stage) -> None:
    key = await start(stage, "tde-probabilistic.bpmn", goal="a poem")
    await stage.throw(await stage.take("procos.llm.analyze"), "LLM_FAILED")
    await stage.complete(await stage.take_user_task(key), result="by hand")
    said, result, done = await ends(stage, key)
    assert (said, result, "step-failed" in done) == ("a person", "by hand", True)


@pytest.mark.parametrize("verdict", [{}, {"isGoodEnough": "yes", "score": "high"}, {"score": None}], ids=str)
async def test_llm_a_verdict_that_says_nothing_is_no_incident(stage: Stage, verdict: dict[str, Any]) -> None:
    key = await start(stage, "tde-probabilistic.bpmn", goal="a poem", maxIterations=2)
    await iterate(stage, "first", **verdict)
    await iterate(stage, "second", **verdict)
    assert (await ends(stage, key))[0] == "iterations"


@pytest.mark.parametrize("limits", [{"maxIterations": "x", "maxTokens": [], "maxCost": None, "timeLimit": "later"}])
async def test_llm_limits_that_are_none_are_the_usual_ones(stage: Stage, limits: dict[str, Any]) -> None:
    key = await start(stage, "tde-probabilistic.bpmn", goal="a poem", **limits)
    await iterate(stage, "good", isGoodEnough=True)
    assert (await ends(stage, key))[:2] == ("good enough", "good")


# ------------------------------------------------------------------ the PEO to copy


async def ordered(stage: Stage, **variables: object) -> int:
    order_id = f"{stage.prefix}o"
    return await start(stage, "peo.bpmn", **{**ORDER, "orderId": order_id, **variables})


async def shipped(stage: Stage) -> None:
    await do(stage, "hand-in")
    assert await stage.tell("order.shipped", f"{stage.prefix}o", ttl=timedelta(seconds=20))


async def test_order_goes_through(stage: Stage) -> None:
    key = await ordered(stage)
    await do(stage, "reserve")
    charge = await task(stage, "charge")
    assert charge.variables["payment"] == "card"
    await stage.complete(charge)
    await shipped(stage)
    await do(stage, "confirm")
    assert "done" in completed(await stage.end_of(key))


async def test_order_that_is_sold_out_ends_with_nothing_to_undo(stage: Stage) -> None:
    key = await ordered(stage)
    await stage.throw(await task(stage, "reserve"), "OUT_OF_STOCK")
    assert "not-possible" in completed(await stage.end_of(key))


async def test_order_is_charged_again_with_changed_inputs(stage: Stage) -> None:
    key = await ordered(stage)
    await do(stage, "reserve")
    await stage.throw(await task(stage, "charge"), "PAYMENT_REFUSED")
    second = await task(stage, "charge")
    assert second.variables["payment"] == "invoice"
    await stage.complete(second)
    await shipped(stage)
    await do(stage, "confirm")
    assert "done" in completed(await stage.end_of(key))


async def refused_twice(stage: Stage) -> int:
    key = await ordered(stage)
    await do(stage, "reserve")
    for _ in range(2):
        await stage.throw(await task(stage, "charge"), "PAYMENT_REFUSED")
    return key


async def test_order_that_nobody_can_charge_is_escalated_to_a_person_who_may_go_on(stage: Stage) -> None:
    key = await refused_twice(stage)
    await stage.complete(await stage.take_user_task(key), approved=True)
    await shipped(stage)
    await do(stage, "confirm")
    assert {"payment-stuck", "done"} <= completed(await stage.end_of(key))


@pytest.mark.parametrize("answer", [{"approved": False}, {}, {"approved": "perhaps"}], ids=str)
async def test_order_that_is_not_approved_is_undone(stage: Stage, answer: dict[str, Any]) -> None:
    key = await refused_twice(stage)
    await stage.complete(await stage.take_user_task(key), **answer)
    await do(stage, "release")
    await do(stage, "apologize")
    assert {"undo-all", "cancelled"} <= completed(await stage.end_of(key))


async def test_order_that_is_late_is_reminded_of_and_goes_on(stage: Stage) -> None:
    key = await ordered(stage, warnAfter="PT1S")
    await do(stage, "reserve")
    await do(stage, "charge")
    hand_in = await task(stage, "hand-in")
    await do(stage, "remind")
    await stage.complete(hand_in)
    await stage.tell("order.shipped", f"{stage.prefix}o", ttl=timedelta(seconds=20))
    await do(stage, "confirm")
    assert {"late", "reminded", "done"} <= completed(await stage.end_of(key))


async def test_order_that_is_too_late_is_undone(stage: Stage) -> None:
    key = await ordered(stage, giveUpAfter="PT1S")
    await do(stage, "reserve")
    await do(stage, "charge")
    await task(stage, "hand-in")
    await do(stage, "release")
    await do(stage, "apologize")
    assert {"too-late", "cancelled"} <= completed(await stage.end_of(key))


async def test_order_open_while_the_shop_closes_is_told_and_goes_on(stage: Stage) -> None:
    key = await ordered(stage)
    reserve = await task(stage, "reserve")
    closing = _SIGNAL.format(name=quoteattr(f"{stage.prefix}shop.closing"), id=quoteattr(f"{stage.prefix}-closes"))
    await stage.session.engine.deploy([Resource("closing.bpmn", closing.encode())])
    await stage.session.engine.create_instance(f"{stage.prefix}-closes")
    await do(stage, "say-so")
    await stage.throw(reserve, "OUT_OF_STOCK")
    assert {"told", "not-possible"} <= completed(await stage.end_of(key))
