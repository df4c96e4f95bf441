"""The DMN table of the router's rules, on the real engine: as it ships, and as people change it."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from procos.model.deployment import Resource
from procos.model.routing import RULES_ID
from procos.resources import routing_rules
from procos.routing.options import RouterOptions
from procos.routing.rules import Rules
from procos.wiring.engines import EngineSession
from tests.unit.routing.doubles import router, task

pytestmark = [pytest.mark.engine, pytest.mark.anyio]

RULE = """<rule id="rule-1">
{inputs}
        <outputEntry id="rule-1-tde"><text>{tde}</text></outputEntry>
        <outputEntry id="rule-1-reason"><text>{reason}</text></outputEntry>
      </rule>
      <rule id="rule-example">"""


class OwnTable:
    """A table under a decision id of the test's own, so that the shared engine's tasks never meet its rules."""

    def __init__(self, session: EngineSession) -> None:
        self._engine = session.engine
        self._id = f"rules-{uuid.uuid4().hex}"

    async def deploy(self, change: Callable[[str], str] = lambda it: it) -> None:
        table = change(routing_rules().read_text(encoding="utf-8"))
        own = table.replace(f'"{RULES_ID}"', f'"{self._id}"').replace('"procos-routing"', f'"{self._id}-all"')
        await self._engine.deploy([Resource(f"{self._id}.dmn", own.encode())])

    async def evaluate_decision(self, decision_id: str, *, variables: Any) -> Any:
        assert decision_id == RULES_ID
        return await self._engine.evaluate_decision(self._id, variables=variables)


def with_rule(*inputs: str, tde: str, reason: str = '""') -> Callable[[str], str]:
    cells = "\n".join(
        f'        <inputEntry id="rule-1-{number}"><text>{text}</text></inputEntry>'
        for number, text in enumerate(inputs)
    )
    rule = RULE.format(inputs=cells, tde=tde, reason=reason)
    return lambda table: table.replace('<rule id="rule-example">', rule)


@pytest.fixture
def table(session: EngineSession) -> OwnTable:
    return OwnTable(session)


async def test_a_table_that_nobody_deployed_passes_on(table: OwnTable) -> None:
    assert (await Rules(table, RouterOptions()).ask(task())).note == f"no decision {RULES_ID} is deployed"


async def test_the_shipped_table_has_no_rule_that_matches(table: OwnTable) -> None:
    await table.deploy()
    said = await Rules(table, RouterOptions()).ask(
        task("Send the newsletter", lane="Marketing", documentation="x" * 50)
    )
    assert (said.matched, said.note, said.is_lasting) == (False, "no rule matches", True)


async def test_its_example_works_in_the_process_that_it_is_for(table: OwnTable) -> None:
    await table.deploy()
    newsletter = task("Send the Newsletter", process_definition_id="procos-example-of-a-rule")
    said = await Rules(table, RouterOptions()).ask(newsletter)
    assert (said.matched, said.tde, said.reason) == (True, "email", "newsletters go by mail")


async def test_a_rule_that_people_added_decides(table: OwnTable) -> None:
    await table.deploy(
        with_rule("", "", '"orders"', '"Night"', 'contains(?, "call")', tde='"notify"', reason='"at night"')
    )
    decision = await router(tables=table).route(task(lane="Night", documentation="call Ada"))
    assert (decision.tde, decision.reasons[1]) == ("notify", "rules: a rule says 'notify' (at night)")
    assert (await router(tables=table).route(task(lane="Day", documentation="call Ada"))).stage == "person"


async def test_a_rule_without_a_tde_asks_a_person(table: OwnTable) -> None:
    await table.deploy(with_rule("", "", "", "", "", tde='""', reason='"too risky"'))
    decision = await router(tables=table).route(task())
    assert (decision.stage, decision.reasons[1]) == ("person", "rules: a person shall decide (too risky)")


async def test_a_table_that_cannot_be_evaluated_passes_on_with_the_engines_reason(table: OwnTable) -> None:
    await table.deploy(with_rule("", "", "", "", "", tde='assert(null, "x")'))
    said = await Rules(table, RouterOptions()).ask(task())
    assert (said.matched, said.is_lasting) == (False, False)
    assert "cannot evaluate" in said.note
