"""What a task run is told to do, and what its parent gets."""

import pytest

from procos.kernel.heartbeat.plan import Plan, plan_of, result_of
from procos.model.catalogue import CatalogueEntry
from procos.model.routing import Candidate, RoutingDecision
from procos.model.task import Task

ENTRY = CatalogueEntry(
    name="http", description="Calls", examples=(), inputs=(), outputs=("status", "body"), mode="deterministic",
    job_type="tde.http", process_id="tde-http", hash="1",
)  # fmt: skip


def a_task(retries: int = 3, **headers: str) -> Task:
    return Task(
        job_key=7, job_type="procos.task", correlation_id="c", process_instance_key=1, process_definition_id="p",
        process_definition_key=2, process_definition_version=1, element_id="e", element_instance_key=3,
        headers=headers, retries=retries,
    )  # fmt: skip


def decided(*missing: str) -> RoutingDecision:
    return RoutingDecision(
        tde="http", stage="retrieval", confidence=0.9, candidates=(Candidate(tde="http", confidence=0.9),),
        inputs={"url": "x"}, missing=missing,
    )  # fmt: skip


def test_a_task_that_was_routed_is_run():
    plan = plan_of(a_task(), decided(), ENTRY, "tde.http.undo")
    assert (plan.outcome, plan.process_id, plan.undo_job_type) == ("run", "tde-http", "tde.http.undo")
    assert (plan.inputs, plan.outputs, plan.on_failure) == (("url",), ("status", "body"), "fail")


def test_a_person_is_asked_where_an_input_is_missing():
    plan = plan_of(a_task(), decided("method"), ENTRY, None)
    assert (plan.outcome, plan.missing, plan.candidates) == ("ask", ("method",), ("http",))


def test_a_person_is_asked_where_the_tde_is_gone():
    assert plan_of(a_task(), decided(), None, None).outcome == "ask"


@pytest.mark.parametrize(
    ("headers", "retries", "attempts"),
    [
        ({}, 3, 3),
        ({}, 0, 1),
        ({"retryAttempts": "2"}, 3, 2),
        ({"retryAttempts": "9"}, 3, 3),
        ({"retryAttempts": "0"}, 3, 1),
        ({"retryAttempts": "many"}, 3, 3),
    ],
)
def test_attempts(headers: dict[str, str], retries: int, attempts: int):
    assert plan_of(a_task(retries, **headers), decided(), ENTRY, None).attempts == attempts


@pytest.mark.parametrize(
    ("said", "meant"), [(" Ask ", "ask"), ("compensate", "compensate"), ("", "fail"), ("x", "fail")]
)
def test_what_shall_happen_after_a_failure(said: str, meant: str):
    assert plan_of(a_task(onFailure=said), decided(), ENTRY, None).on_failure == meant


VARIABLES = {
    "procosTask": {}, "tdeReport": True, "correlationId": "c", "url": "x", "status": 200, "body": None, "extra": 1,
}  # fmt: skip


def test_the_parent_gets_what_the_tde_declares():
    plan = Plan(outcome="run", inputs=("url",), outputs=("status", "body", "url", "not there"))
    assert result_of(VARIABLES, plan) == {"status": 200, "body": None, "url": "x"}


def test_of_a_tde_that_declares_nothing_the_parent_gets_what_is_new():
    assert result_of(VARIABLES, Plan(outcome="run", inputs=("url",))) == {"status": 200, "body": None, "extra": 1}
