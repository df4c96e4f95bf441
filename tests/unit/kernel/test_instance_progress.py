"""What an instance has done so far, from its records as Zeebe 8.6 writes them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from procos.kernel.instance_progress import InstanceProgress, Step
from procos.model.record import Record

INSTANCE = 100
NOON = datetime(2024, 2, 29, 12, 0, tzinfo=UTC)


class Story:
    """Makes records in order, each a second after the one before, and feeds them to an InstanceProgress."""

    def __init__(self) -> None:
        self.progress = InstanceProgress(INSTANCE)
        self.position = 0

    def record(
        self, value_type: str, intent: str, *, key: int = 0, record_type: str = "EVENT", **value: Any
    ) -> Step | None:
        self.position += 1
        return self.progress.apply(
            Record(
                partition_id=1,
                position=self.position,
                record_type=record_type,
                value_type=value_type,
                intent=intent,
                key=key or 1000 + self.position,
                timestamp=NOON + timedelta(seconds=self.position),
                value={"processInstanceKey": INSTANCE, **value},
            )
        )

    def element(self, intent: str, element: str, kind: str = "SERVICE_TASK", *, key: int = 0) -> Step | None:
        return self.record("PROCESS_INSTANCE", f"ELEMENT_{intent}", key=key, elementId=element, bpmnElementType=kind)

    def start(self, element: str, kind: str = "SERVICE_TASK") -> Step | None:
        self.element("ACTIVATING", element, kind)
        return self.element("ACTIVATED", element, kind)

    def complete(self, element: str, kind: str = "SERVICE_TASK") -> Step | None:
        self.element("COMPLETING", element, kind)
        return self.element("COMPLETED", element, kind)

    def process(self, intent: str) -> Step | None:
        return self.element(intent, "order", "PROCESS", key=INSTANCE)


@pytest.fixture
def story() -> Story:
    return Story()


def test_steps_are_in_the_order_in_which_they_started(story):
    story.process("ACTIVATING")
    story.process("ACTIVATED")
    for element, kind in (("start", "START_EVENT"), ("b", "SERVICE_TASK"), ("a", "EXCLUSIVE_GATEWAY")):
        story.start(element, kind)
        story.complete(element, kind)
    story.process("COMPLETED")

    assert list(story.progress.steps) == ["start", "b", "a"]
    assert {step.status for step in story.progress.steps.values()} == {"completed"}
    assert story.progress.status == "completed"


def test_a_step_is_told_when_it_starts_and_when_it_ends(story):
    started = story.start("a")
    assert started is not None
    assert (started.status, started.element_type, started.times) == ("active", "SERVICE_TASK", 1)

    assert story.element("COMPLETING", "a") is None
    ended = story.element("COMPLETED", "a")

    assert ended is started
    assert (ended.status, ended.ended) == ("completed", NOON + timedelta(seconds=4))
    assert ended.seconds == pytest.approx(2, abs=1)


def test_a_terminated_step_and_instance_say_so(story):
    story.start("a")
    story.element("TERMINATING", "a")
    step = story.element("TERMINATED", "a")
    story.process("TERMINATED")

    assert step is not None
    assert step.status == "terminated"
    assert story.progress.status == "terminated"


def test_the_instance_is_active_until_it_has_ended(story):
    for intent in ("ACTIVATING", "ACTIVATED", "COMPLETING"):
        story.process(intent)
        assert story.progress.status == "active"


def test_what_only_holds_others_and_sequence_flows_are_no_steps(story):
    story.process("ACTIVATED")
    story.start("each", "MULTI_INSTANCE_BODY")
    story.record("PROCESS_INSTANCE", "SEQUENCE_FLOW_TAKEN", elementId="flow", bpmnElementType="SEQUENCE_FLOW")

    assert story.progress.steps == {}


def test_only_events_count(story):
    for record_type in ("COMMAND", "COMMAND_REJECTION"):
        step = story.record(
            "PROCESS_INSTANCE", "ELEMENT_ACTIVATED", record_type=record_type, elementId="a", bpmnElementType="TASK"
        )
        assert step is None
    assert story.progress.steps == {}


def test_a_loop_counts_its_rounds(story):
    for _ in range(3):
        story.start("a")
        story.complete("a")

    step = story.progress.steps["a"]
    assert (step.times, step.status) == (3, "completed")
    assert step.seconds == pytest.approx(10, abs=1)


def test_a_step_with_several_instances_is_active_until_the_last_has_ended(story):
    for _ in range(3):
        story.start("a")
    story.complete("a")
    assert story.progress.steps["a"].status == "active"
    story.complete("a")
    last = story.complete("a")

    assert last is not None
    assert (last.times, last.status) == (3, "completed")


def test_failures_of_jobs_are_counted_with_the_last_ones_message(story):
    story.start("a")
    story.record("JOB", "CREATED", elementId="a")
    for number in (1, 2):
        step = story.record("JOB", "FAILED", elementId="a", errorMessage=f"no good {number}", retries=2 - number)

    assert step is not None
    assert (step.failures, step.trouble) == (2, "no good 2")


def test_a_thrown_bpmn_error_is_trouble(story):
    story.start("a")
    step = story.record("JOB", "ERROR_THROWN", elementId="a", errorMessage="declined", errorCode="DECLINED")

    assert step is not None
    assert (step.failures, step.trouble) == (1, "declined")


def test_other_job_records_are_of_no_interest(story):
    story.start("a")
    for intent in ("CREATED", "COMPLETED", "TIMED_OUT", "RECURRED_AFTER_BACKOFF"):
        assert story.record("JOB", intent, elementId="a", errorMessage="") is None


def test_an_incident_is_trouble_that_names_its_key(story):
    story.start("a")
    step = story.record("INCIDENT", "CREATED", key=7, elementId="a", errorMessage="input 'amount' is missing")

    assert step is not None
    assert step.trouble == "incident 7: input 'amount' is missing"
    assert story.record("INCIDENT", "RESOLVED", key=7, elementId="a", errorMessage="x") is None


def test_an_incident_of_an_element_that_never_became_active_is_told_too(story):
    """A gateway without a matching flow, or an input mapping that fails, stops while it is being activated."""
    story.element("ACTIVATING", "which way?", "EXCLUSIVE_GATEWAY")
    step = story.record("INCIDENT", "CREATED", key=7, elementId="which way?", errorMessage="no flow matches")

    assert step is not None
    assert step.element_type == "EXCLUSIVE_GATEWAY"
    assert (step.status, step.trouble) == ("active", "incident 7: no flow matches")

    story.element("ACTIVATED", "which way?", "EXCLUSIVE_GATEWAY")
    story.complete("which way?", "EXCLUSIVE_GATEWAY")
    assert (step.status, step.times) == ("completed", 1)


def test_trouble_of_an_element_that_is_no_step_is_left_aside(story):
    assert story.record("JOB", "FAILED", elementId="nowhere", errorMessage="x") is None


def test_the_variables_are_those_of_the_outermost_scope_with_their_last_values(story):
    for name, value, scope in (
        ("amount", 3, INSTANCE),
        ("local", "x", 555),
        ("amount", {"net": [1.5, None]}, INSTANCE),
        ("text", "Größe", INSTANCE),
    ):
        story.record("VARIABLE", "CREATED", name=name, value=json.dumps(value), scopeKey=scope)

    assert story.progress.variables == {"amount": {"net": [1.5, None]}, "text": "Größe"}


def test_a_step_that_has_not_ended_took_no_time_yet(story):
    story.start("a")

    assert story.progress.steps["a"].seconds == 0
