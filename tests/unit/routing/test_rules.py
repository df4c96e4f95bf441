"""Stage 2: what the DMN table says, and how often it is asked."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from procos.errors import EngineOverloaded, EngineRejected, EngineUnavailable
from procos.model.routing import RULES_ID
from procos.routing.options import RouterOptions
from procos.routing.rules import Rules, RulesAnswer, judge
from tests.unit.routing.doubles import USUAL, Tables, not_deployed, saying, task

pytestmark = pytest.mark.anyio


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def answer(output: Any) -> RulesAnswer:
    return await Rules(saying(output), RouterOptions()).ask(task())


async def test_the_table_is_asked_with_what_its_inputs_are_called() -> None:
    tables = saying(None)
    await Rules(tables, RouterOptions()).ask(task("Pay", job_type="pay", lane="Finance", documentation="by wire"))
    expected = {
        "taskName": "Pay",
        "jobType": "pay",
        "processId": "orders",
        "lane": "Finance",
        "documentation": "by wire",
    }
    assert tables.asked == [(RULES_ID, expected)]


async def test_documentation_of_20_kb_goes_to_the_table() -> None:
    tables = saying(None)
    await Rules(tables, RouterOptions()).ask(task(documentation="x" * 200_000))
    assert len(tables.asked[0][1]["documentation"]) == 20_000


async def test_a_rule_names_a_tde() -> None:
    verdict = judge(await answer({"tde": " email ", "reason": "by  rule"}), USUAL, ())
    assert (verdict.tde, verdict.confidence, verdict.reason) == ("email", 1, "rules: a rule says 'email' (by rule)")
    assert judge(await answer("email"), USUAL, ()).tde == "email"


@pytest.mark.parametrize("output", [{"tde": "", "reason": "too risky"}, {"tde": None, "reason": "too risky"}])
async def test_a_rule_without_a_tde_asks_a_person(output: Mapping[str, Any]) -> None:
    verdict = judge(await answer(output), USUAL, ())
    assert (verdict.asks_person, verdict.reason) == (True, "rules: a person shall decide (too risky)")


async def test_a_rule_for_a_tde_that_is_gone_or_failed_asks_a_person() -> None:
    said = await answer({"tde": "emial", "reason": ""})
    assert judge(said, USUAL, ()).reason == (
        "rules: a rule says 'emial', but no TDE of that name is registered; near are 'email'"
    )
    failed = judge(await answer({"tde": "email", "reason": ""}), USUAL, {"email"})
    assert (failed.asks_person, failed.reason) == (True, "rules: a rule says 'email', which has failed at this task")


@pytest.mark.parametrize(
    ("output", "note"),
    [
        (None, "no rule matches"),
        ([{"tde": "email"}], "the table gives list, not the outputs tde and reason of one rule"),
        (7, "the table gives int, not the outputs tde and reason of one rule"),
        ({"other": 1}, "the table gives dict, not the outputs tde and reason of one rule"),
        ({"tde": 7}, "a rule's tde is int, not a text"),
    ],
)
async def test_what_is_no_answer_is_passed_on_with_a_note(output: Any, note: str) -> None:
    verdict = judge(await answer(output), USUAL, ())
    assert (verdict.is_final, verdict.reason) == (False, f"rules: {note}")


async def test_no_table_is_passed_on() -> None:
    said = await Rules(not_deployed(), RouterOptions()).ask(task())
    assert (said.matched, said.note) == (False, "no decision procos-routing-rules is deployed")
    assert (await Rules(None, RouterOptions()).ask(task())).note == "not asked, since no engine is at hand"


@pytest.mark.parametrize(
    "error", [EngineUnavailable("no engine answers"), EngineRejected("cannot evaluate", reason="FEEL")]
)
async def test_an_engine_that_cannot_say_is_asked_again_the_next_time(error) -> None:
    tables = Tables(error)
    rules = Rules(tables, RouterOptions())
    said = await rules.ask(task())
    assert (said.note, said.is_lasting) == (error.message, False)
    await rules.ask(task())
    assert len(tables.asked) == 2


async def test_an_engine_that_hangs_is_not_waited_for() -> None:
    tables = saying(None)
    tables.waits_for = asyncio.Event()
    said = await Rules(tables, RouterOptions(rules_time_limit=timedelta(milliseconds=10))).ask(task())
    assert (said.note, said.is_lasting) == ("the engine did not answer within 0.01 s", False)


async def test_an_engine_that_is_overloaded_is_asked_again_at_once() -> None:
    tables = saying("email")
    refused = iter([EngineOverloaded("slow down"), EngineOverloaded("slow down")])

    def rule(_: Mapping[str, Any]) -> Any:
        for error in refused:
            raise error
        return "email"

    tables.rule = rule
    said = await Rules(tables, RouterOptions()).ask(task())
    assert (said.tde, len(tables.asked)) == ("email", 3)


async def test_an_engine_that_stays_overloaded_is_given_up() -> None:
    tables = Tables(EngineOverloaded("slow down"))
    said = await Rules(tables, RouterOptions(rules_time_limit=timedelta(milliseconds=10))).ask(task())
    assert (said.matched, said.is_lasting) == (False, False)


async def test_what_was_said_counts_for_some_seconds() -> None:
    tables, now = saying(None), Seconds()
    rules = Rules(tables, RouterOptions(rules_fresh_for=timedelta(seconds=5)), now=now)
    await rules.ask(task(job_key=1))
    now.now = 4.9
    await rules.ask(task(job_key=2))
    assert len(tables.asked) == 1
    await rules.ask(task("Another"))
    assert len(tables.asked) == 2
    now.now = 5.0
    tables.rule = lambda _: "email"
    assert (await rules.ask(task())).tde == "email"
