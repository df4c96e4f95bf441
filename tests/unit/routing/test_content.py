"""What the hash of a decision depends on, and what not."""

from datetime import UTC, datetime
from typing import Any

import pytest

from procos.model.routing import RoutingExample
from procos.model.task import Task
from procos.routing.catalogue import Catalogue
from procos.routing.content import content_hash
from procos.routing.examples import ExampleSet
from procos.routing.rules import NOT_ASKED, RulesAnswer
from procos.routing.task_words import words_of
from tests.unit.routing.doubles import EMAIL, NOTIFY, schema, task, tde

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def of(asked: Task | None = None, catalogue: Catalogue | None = None, **other: Any) -> str:
    usual: dict[str, Any] = {
        "rules": NOT_ASKED,
        "examples": ExampleSet(),
        "away": (),
        "chooser": "",
        "threshold": 0.5,
    }
    asked = asked or task(inputs={"n": 1})
    return content_hash(asked, words_of(asked), catalogue or Catalogue([EMAIL, NOTIFY]), **(usual | other))


def example(name: str) -> ExampleSet:
    return ExampleSet({"tell ada": RoutingExample(text="Tell Ada", tde=name, chosen_at=NOW)})


@pytest.mark.parametrize(
    "different",
    [
        of(task("Another", inputs={"n": 1})),
        of(task(documentation="by post", inputs={"n": 1})),
        of(task(headers={"a": "b"}, inputs={"n": 1})),
        of(task(job_type="pay", inputs={"n": 1})),
        of(task(inputs={"n": "1"})),
        of(task(inputs={"m": 1})),
        of(catalogue=Catalogue([EMAIL])),
        of(catalogue=Catalogue([EMAIL, tde("notify", schema("body", "to"))])),
        of(catalogue=Catalogue([EMAIL, type(NOTIFY)(NOTIFY.entry, NOTIFY.input_schema, is_guarded=True)])),
        of(rules=RulesAnswer("no rule matches")),
        of(rules=RulesAnswer("", matched=True, tde="email")),
        of(rules=RulesAnswer("", matched=True, tde="email", reason="at night")),
        of(examples=example("email")),
        of(examples=example("notify")),
        of(away=["email"]),
        of(chooser="openai:x"),
        of(threshold=0.6),
    ],
)
def test_what_decides_is_in_the_hash(different: str) -> None:
    assert different != of()


def test_each_of_two_answers_of_people_has_its_own_hash() -> None:
    assert of(examples=example("email")) != of(examples=example("notify"))


@pytest.mark.parametrize(
    "same",
    [
        of(task(inputs={"n": 2})),
        of(task(job_key=99, correlation_id="other", inputs={"n": 1})),
        of(catalogue=Catalogue([NOTIFY, EMAIL])),
        of(task(" Send  the invoice ", inputs={"n": 1})),
    ],
)
def test_what_does_not_decide_is_not(same: str) -> None:
    assert same == of()


def test_the_order_of_what_has_none_does_not_count() -> None:
    assert of(away=["a", "b"]) == of(away=["b", "a"])
    one, other = task(headers={"a": "1", "b": "2"}), task(headers={"b": "2", "a": "1"})
    assert of(one) == of(other)
