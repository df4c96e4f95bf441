"""What every RoutingMemory does: the double, SQLite, and a real PostgreSQL."""

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from procos.errors import StoreError
from procos.model.routing import Candidate, KeptDecision, RoutingDecision, RoutingExample
from procos.ports.routing_memory import RoutingMemory
from tests.contract.ledgers import place_of
from tests.contract.memories import KINDS, STRANGE, routing_of, sql_routing
from tests.servers.postgres import postgres_fixture, postgres_url_fixture  # noqa: F401 - fixtures, used by name

pytestmark = pytest.mark.anyio

KEY = 2251799813685249
NOW = datetime(2026, 11, 22, 17, 0, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FULL = RoutingDecision(
    tde=STRANGE,
    process_id=STRANGE,
    stage="retrieval",
    confidence=0.1 + 0.2,
    reasons=(STRANGE, ""),
    candidates=(Candidate(tde="a", confidence=1, reason=STRANGE), Candidate(tde="b", confidence=0)),
    inputs={STRANGE: [None, True, 10**30, 1e308, {"a": {}}], "text": "x" * 20_000},
    missing=("url", STRANGE),
    is_cached=True,
)
ABSTAINED = RoutingDecision(tde=None, stage="person", confidence=0)


@pytest.fixture(params=KINDS)
async def memory(request: pytest.FixtureRequest) -> AsyncIterator[RoutingMemory]:
    async with routing_of(request.param, request) as made:
        yield made


def chosen(tde: str) -> RoutingDecision:
    return RoutingDecision(tde=tde, stage="rules", confidence=1)


def kept(decision: RoutingDecision = FULL, **parts: object) -> KeptDecision:
    facts = {"correlation_id": "c", "job_key": KEY, "content_hash": "h", "decided_at": NOW}
    return KeptDecision.model_validate({**facts, "decision": decision, **parts})


def example(text: str, tde: str = "http", at: datetime = NOW, by: str = "ann") -> RoutingExample:
    return RoutingExample(text=text, tde=tde, chosen_by=by, chosen_at=at)


# Decisions


async def test_what_was_never_kept_is_not_found(memory):
    assert await memory.find("h") is None
    assert list(await memory.decisions("c")) == []
    assert list(await memory.examples()) == []


@pytest.mark.parametrize("decision", [FULL, ABSTAINED], ids=["full", "abstained"])
@pytest.mark.parametrize("correlation_id", ["c", "", STRANGE, "c" * 20_000], ids=["short", "empty", "strange", "long"])
async def test_a_decision_comes_back_as_it_was(memory, decision, correlation_id):
    one = kept(decision, correlation_id=correlation_id)
    await memory.keep(one)

    assert list(await memory.decisions(correlation_id)) == [one]


async def test_the_trace_holds_every_decision_under_an_id_oldest_first(memory):
    second = kept(chosen("b"), decided_at=NOW + SECOND)
    first = kept(chosen("a"), decided_at=NOW.astimezone(timezone(timedelta(hours=-3))))
    third = kept(ABSTAINED, decided_at=NOW + 2 * SECOND, job_key=KEY + 1)
    for one in (second, first, third, kept(chosen("x"), correlation_id="C")):
        await memory.keep(one)

    assert list(await memory.decisions("c")) == [first, second, third]


async def test_decisions_of_one_moment_stay_in_the_order_in_which_they_were_kept(memory):
    for name in ("a", "b", "c"):
        await memory.keep(kept(chosen(name)))

    assert [it.decision.tde for it in await memory.decisions("c")] == ["a", "b", "c"]


async def test_the_newest_decision_with_a_hash_that_names_a_tde_is_found(memory):
    await memory.keep(kept(chosen("newest"), decided_at=NOW + SECOND))
    await memory.keep(kept(chosen("older")))
    await memory.keep(kept(ABSTAINED, decided_at=NOW + 2 * SECOND))
    await memory.keep(kept(chosen("other"), content_hash="H", decided_at=NOW + 3 * SECOND))
    await memory.keep(kept(ABSTAINED, content_hash="none"))

    assert await memory.find("h") == chosen("newest")
    assert await memory.find("none") is None


async def test_a_found_decision_is_whole(memory):
    await memory.keep(kept())

    assert await memory.find("h") == FULL


async def test_what_the_caller_changes_later_does_not_change_what_is_kept(memory):
    decision = RoutingDecision(tde="a", stage="task", confidence=1, inputs={"list": [1]})
    await memory.keep(kept(decision))
    decision.inputs["list"].append(2)
    found = await memory.find("h")
    found.inputs["list"].append(3)

    assert (await memory.find("h")).inputs == {"list": [1]}


@pytest.mark.parametrize("value", [{1, 2}, object(), math.nan, b"bytes"], ids=["set", "object", "nan", "bytes"])
async def test_inputs_that_are_not_json_are_refused(memory, value):
    decision = RoutingDecision(tde="a", stage="task", confidence=1, inputs={"a": value})

    with pytest.raises(StoreError, match=f"the routing decision for job {KEY} is not JSON"):
        await memory.keep(kept(decision))
    assert list(await memory.decisions("c")) == []


async def test_pruning_removes_old_decisions_and_never_examples(memory):
    now = datetime.now(UTC)
    await memory.keep(kept(chosen("old"), decided_at=now - timedelta(hours=2)))
    await memory.keep(kept(chosen("new"), decided_at=now))
    await memory.add_example(example("text", at=now - timedelta(days=999)))

    assert await memory.prune(timedelta.max) == 0
    assert await memory.prune(timedelta(hours=1)) == 1
    assert [it.decision.tde for it in await memory.decisions("c")] == ["new"]
    assert await memory.prune(timedelta(0)) == 1
    assert await memory.prune(timedelta(0)) == 0
    assert len(await memory.examples()) == 1


async def test_many_decisions_at_once_are_all_kept(memory):
    await asyncio.gather(*(memory.keep(kept(chosen(str(n)), job_key=n)) for n in range(300)))

    assert {it.job_key for it in await memory.decisions("c")} == set(range(300))


# Examples


@pytest.mark.parametrize(
    "text", ["", STRANGE, "x" * 20_000, "問い合わせ"], ids=["empty", "strange", "long", "other script"]
)
async def test_an_example_comes_back_as_it_was(memory, text):
    one = example(text, tde=STRANGE, by=STRANGE)
    await memory.add_example(one)

    assert list(await memory.examples()) == [one]


async def test_examples_come_oldest_first(memory):
    for text, at in (("b", NOW), ("c", NOW + SECOND), ("a", NOW - SECOND)):
        await memory.add_example(example(text, at=at))

    assert [it.text for it in await memory.examples()] == ["a", "b", "c"]


async def test_the_same_text_again_replaces_what_was_chosen_and_no_other_text(memory):
    await memory.add_example(example("send it", "email"))
    await memory.add_example(example("Send it", "notify", NOW + SECOND))
    await memory.add_example(example("send it", "http", NOW + 2 * SECOND, "ben"))

    assert list(await memory.examples()) == [
        example("Send it", "notify", NOW + SECOND),
        example("send it", "http", NOW + 2 * SECOND, "ben"),
    ]


# Both


async def test_a_moment_without_a_time_zone_is_refused(memory):
    moment = datetime(2026, 1, 1)
    with pytest.raises(StoreError, match="has no time zone"):
        await memory.keep(kept(decided_at=moment))
    with pytest.raises(StoreError, match="has no time zone"):
        await memory.add_example(example("a", at=moment))


async def test_a_closed_memory_refuses(memory):
    await memory.close()
    await memory.close()

    calls = (memory.keep(kept()), memory.find("h"), memory.decisions("c"), memory.add_example(example("a")),
             memory.examples(), memory.prune(timedelta(0)))  # fmt: skip
    for call in calls:
        with pytest.raises(StoreError, match="closed"):
            await call


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_the_trace_is_the_engines_and_answers_are_for_all(kind, request):
    place = place_of(kind, request)
    async with sql_routing(place, engine_id="one") as one, sql_routing(place, engine_id="two %s ?") as two:
        await one.keep(kept(chosen("a")))
        await one.add_example(example("text"))

        assert list(await two.decisions("c")) == []
        assert await two.find("h") == chosen("a")
        assert list(await two.examples()) == [example("text")]
        assert await two.prune(timedelta(0)) == 0
        assert await one.prune(timedelta(0)) == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("wrong", [{"job_key": 2**63}, {"content_hash": "h" * 201}, {"content_hash": "\0"}], ids=str)
async def test_what_fits_into_no_column_is_refused_beforehand(kind, wrong, request):
    async with sql_routing(place_of(kind, request)) as memory:
        with pytest.raises(StoreError, match=r"no (job key|content hash)"):
            await memory.keep(kept(**wrong))
