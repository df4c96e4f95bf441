"""The router as a whole: which stage answers, what a decision keeps, and what is decided only once."""

import asyncio
import logging
import threading
from datetime import timedelta

import pytest

from procos.errors import EngineUnavailable, RoutingError, UsageError
from procos.routing.catalogue import Catalogue
from procos.routing.options import RouterOptions
from procos.routing.router import StagedRouter
from tests.unit.routing.doubles import (
    EMAIL,
    NOTIFY,
    USUAL,
    FixedSearch,
    Memory,
    ScriptedChooser,
    choosing,
    not_deployed,
    router,
    saying,
    task,
    tde,
)

pytestmark = pytest.mark.anyio


async def test_a_header_decides_before_any_rule_or_search() -> None:
    search, tables = FixedSearch(email=0.9), saying({"tde": "email", "reason": "always"})
    decision = await router(search, tables=tables).route(task(headers={"tde": "notify"}))
    assert (decision.tde, decision.stage, decision.confidence) == ("notify", "task", 1)
    assert (decision.process_id, decision.reasons[0]) == ("tde-notify", "task: its header tde names 'notify'")
    assert (search.texts, tables.asked) == ([], [])


async def test_a_rule_decides_before_the_search() -> None:
    search = FixedSearch(email=0.9)
    decision = await router(search, tables=saying({"tde": "notify", "reason": "night shift"})).route(task())
    assert (decision.tde, decision.stage) == ("notify", "rules")
    assert decision.reasons[:2] == ("task: it names no TDE", "rules: a rule says 'notify' (night shift)")
    assert search.texts == []


async def test_the_search_decides_where_it_is_sure() -> None:
    decision = await router(FixedSearch(email=0.83, notify=0.2), tables=not_deployed()).route(task())
    assert (decision.tde, decision.stage, decision.confidence) == ("email", "retrieval", 0.83)
    assert [it.tde for it in decision.candidates] == ["email", "notify"]
    assert decision.reasons[:3] == (
        "task: it names no TDE",
        "rules: no decision procos-routing-rules is deployed",
        "search: 'email' is the best with 0.83; 0.50 is needed",
    )


async def test_the_threshold_is_an_option() -> None:
    options = RouterOptions(threshold=0.9)
    decision = await router(FixedSearch(email=0.83), options=options).route(task())
    assert (decision.tde, decision.stage) == (None, "person")
    assert "search: the best is 'email' with 0.83, and 0.90 is needed" in decision.reasons


async def test_the_model_decides_where_the_search_is_not_sure() -> None:
    chooser = choosing("notify", "it tells somebody")
    decision = await router(FixedSearch(email=0.4, notify=0.3), chooser=chooser).route(task(inputs={"body": "x"}))
    assert (decision.tde, decision.stage, decision.confidence) == ("notify", "model", 0.3)
    assert "model: it names 'notify' (it tells somebody)" in decision.reasons
    (question,) = chooser.questions
    assert [it.name for it in question.tdes] == ["email", "notify"]
    assert question.inputs == {"body": "string"}


async def test_a_person_is_asked_where_nobody_is_sure() -> None:
    decision = await router(FixedSearch(email=0.4), chooser=choosing(None, "unclear")).route(task())
    assert (decision.tde, decision.stage, decision.process_id) == (None, "person", None)
    assert [it.tde for it in decision.candidates] == ["email"]
    assert [it.partition(":")[0] for it in decision.reasons] == ["task", "rules", "search", "model", "person"]


async def test_a_person_gets_the_searchs_candidates_where_the_task_names_nobody_known() -> None:
    decision = await router(FixedSearch(notify=0.4)).route(task(headers={"tde": "emial"}))
    assert (decision.tde, decision.stage) == (None, "person")
    assert decision.reasons[0] == (
        "task: its header tde names 'emial', but no TDE of that name is registered; near are 'email'"
    )
    assert [it.tde for it in decision.candidates] == ["email", "notify"]


async def test_a_model_that_fails_leaves_it_to_a_person_and_is_asked_again_the_next_time() -> None:
    chooser = ScriptedChooser(RoutingError("no answer of it within 20 s"))
    routes = router(FixedSearch(email=0.4), chooser=chooser)
    first = await routes.route(task())
    assert first.stage == "person"
    assert "model: no answer of it within 20 s" in first.reasons
    second = await routes.route(task())
    assert (second.is_cached, len(chooser.questions)) == (False, 2)


async def test_a_model_that_never_answers_is_not_waited_for() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    options = RouterOptions(model_time_limit=timedelta(milliseconds=20))
    decision = await router(FixedSearch(email=0.4), chooser=ScriptedChooser(never), options=options).route(task())
    assert (decision.stage, decision.reasons[3]) == ("person", "model: no answer within 0.02 s")


async def test_an_engine_that_is_away_is_noted_and_the_search_decides() -> None:
    tables = saying(None)
    tables.rule = EngineUnavailable("no engine answers at 127.0.0.1:1")
    decision = await router(FixedSearch(email=0.8), tables=tables).route(task())
    assert decision.tde == "email"
    assert "rules: no engine answers at 127.0.0.1:1" in decision.reasons


async def test_a_search_that_fails_is_noted_and_a_person_is_asked() -> None:
    search = FixedSearch(email=0.8)
    search.error = RoutingError("the model's files are damaged")
    decision = await router(search).route(task())
    assert decision.stage == "person"
    assert "search: the model's files are damaged" in decision.reasons


async def test_a_search_that_takes_too_long_is_passed_over_and_works_when_it_is_done() -> None:
    search = FixedSearch(email=0.8)
    search.waits_for = threading.Event()
    routes = router(search, options=RouterOptions(search_time_limit=timedelta(milliseconds=30)))
    first, second = await asyncio.gather(routes.route(task("One")), routes.route(task("Two")))
    assert (first.stage, second.stage) == ("person", "person")
    assert "search: no answer within 0.03 s" in first.reasons
    assert len(search.texts) == 1
    search.waits_for.set()
    decisions = [await routes.route(task("Three")) for _ in range(50)]
    assert decisions[-1].tde == "email"
    assert "Two" not in search.texts


async def test_what_failed_is_left_out() -> None:
    routes = router(FixedSearch(email=0.9, notify=0.7))
    assert (await routes.route(task())).tde == "email"
    again = await routes.route(task(), not_again={"email"})
    assert (again.tde, again.is_cached) == ("notify", False)
    assert [it.tde for it in again.candidates] == ["notify"]


async def test_a_candidate_that_is_registered_no_more_is_none() -> None:
    decision = await router(FixedSearch(gone=0.9, email=0.7)).route(task())
    assert decision.tde == "email"


async def test_the_same_task_is_decided_once() -> None:
    search = FixedSearch(email=0.8)
    routes = router(search)
    first = await routes.route(task(inputs={"subject": "a"}))
    second = await routes.route(task(inputs={"subject": "b"}, job_key=8))
    assert (first.is_cached, second.is_cached, len(search.texts)) == (False, True, 1)
    assert (second.tde, second.inputs) == ("email", {"subject": "b"})
    assert "cache: the same task was decided so before" in second.reasons
    assert second.reasons[-1].startswith("inputs: ")


async def test_a_burst_of_the_same_task_is_decided_once() -> None:
    search, tables, chooser = FixedSearch(email=0.4), saying(None), choosing("email")
    routes = router(search, tables=tables, chooser=chooser)
    decisions = await asyncio.gather(*(routes.route(task(job_key=key)) for key in range(50)))
    assert {it.tde for it in decisions} == {"email"}
    assert (len(search.texts), len(tables.asked), len(chooser.questions)) == (1, 1, 1)


async def test_one_that_is_cancelled_leaves_the_work_to_the_next() -> None:
    gate = asyncio.Event()
    tables = saying(None)
    tables.waits_for = gate
    routes = router(FixedSearch(email=0.8), tables=tables)
    first, second = (asyncio.create_task(routes.route(task(job_key=key))) for key in (1, 2))
    await tables.is_asked.wait()
    first.cancel()
    gate.set()
    assert (await second).tde == "email"
    assert first.cancelled()


@pytest.mark.parametrize(
    "other",
    [
        task("Send the reminder"),
        task(documentation="by post"),
        task(headers={"priority": "high"}),
        task(job_type="send-invoice"),
        task(inputs={"subject": "a"}),
        task(inputs={"amount": "1"}),
    ],
)
async def test_a_task_that_differs_is_decided_anew(other) -> None:
    routes = router(FixedSearch(email=0.8))
    await routes.route(task(inputs={"amount": 1}))
    assert not (await routes.route(other)).is_cached


async def test_another_catalogue_is_another_content() -> None:
    there = [Catalogue([EMAIL, NOTIFY])]
    routes = StagedRouter(lambda: there[0], FixedSearch(email=0.8, notify=0.6))
    assert (await routes.route(task())).tde == "email"
    there[0] = Catalogue([NOTIFY])
    decision = await routes.route(task())
    assert (decision.tde, decision.is_cached) == ("notify", False)


async def test_a_rule_that_changed_is_another_content() -> None:
    tables = saying(None)
    routes = router(FixedSearch(email=0.8), tables=tables, options=RouterOptions(rules_fresh_for=timedelta(0)))
    assert (await routes.route(task())).tde == "email"
    tables.rule = lambda _: {"tde": "notify", "reason": ""}
    assert (await routes.route(task())).tde == "notify"


async def test_decisions_are_kept_with_their_correlation_id_and_without_values() -> None:
    memory = Memory()
    await router(FixedSearch(email=0.8), memory=memory).route(task(inputs={"subject": "private"}, correlation_id="c-9"))
    (kept,) = await memory.decisions("c-9")
    assert (kept.job_key, kept.decision.tde, kept.decision.inputs) == (7, "email", {})
    assert "private" not in kept.model_dump_json()
    assert kept.decision.reasons[-1] == "inputs: subject from variables of the same name"


async def test_a_restarted_router_takes_its_decision_from_the_memory() -> None:
    memory, search = Memory(), FixedSearch(email=0.8)
    await router(search, memory=memory).route(task(inputs={"subject": "a"}))
    decision = await router(search, memory=memory).route(task(inputs={"subject": "b"}))
    assert (decision.tde, decision.is_cached, decision.inputs, len(search.texts)) == (
        "email",
        True,
        {"subject": "b"},
        1,
    )
    assert sum(it.startswith("inputs: ") for it in decision.reasons) == 1


@pytest.mark.parametrize("kept_tde", ["gone", "notify"])
async def test_a_kept_decision_for_a_tde_that_is_gone_or_has_failed_is_not_used(kept_tde: str) -> None:
    memory = Memory()
    await router(FixedSearch(email=0.8), memory=memory).route(task(), not_again=["notify"])
    (kept,) = memory.kept
    memory.kept = [kept.model_copy(update={"decision": kept.decision.model_copy(update={"tde": kept_tde})})]
    decision = await router(FixedSearch(email=0.8), memory=memory).route(task(), not_again=["notify"])
    assert (decision.tde, decision.is_cached) == ("email", False)


async def test_a_memory_that_is_away_does_not_stop_routing_and_is_logged_once(caplog) -> None:
    memory = Memory()
    memory.is_away = True
    routes = router(FixedSearch(email=0.8), memory=memory)
    with caplog.at_level(logging.INFO, "procos.routing"):
        assert (await routes.route(task())).tde == "email"
        assert (await routes.route(task())).tde == "email"
        assert [it.message for it in caplog.records] == [
            "routing goes on without its memory; decisions are not kept meanwhile: the state database is away"
        ]
        memory.is_away = False
        await routes.route(task())
    assert (caplog.records[-1].message, len(memory.kept)) == ("the routing memory is back", 1)


async def test_a_memory_that_hangs_does_not_stop_routing_and_is_left_alone_for_a_while() -> None:
    memory = Memory()
    memory.waits_for = asyncio.Event()
    options = RouterOptions(memory_time_limit=timedelta(milliseconds=10))
    routes = router(FixedSearch(email=0.8), memory=memory, options=options)
    assert (await routes.route(task())).tde == "email"
    assert memory.calls == 1
    memory.waits_for.set()
    while not memory.kept:
        await routes.route(task())


async def test_a_persons_answer_decides_the_same_task_from_then_on() -> None:
    memory, search = Memory(), FixedSearch(email=0.4, notify=0.3)
    routes = router(search, memory=memory)
    assert (await routes.route(task("Tell  Ada"))).stage == "person"
    await routes.learn(task("Tell  Ada"), "notify", chosen_by="ada")
    decision = await routes.route(task("tell Ada"))
    assert (decision.tde, decision.stage, decision.confidence) == ("notify", "retrieval", 1)
    assert "a person (ada) chose 'notify' for this very task" in decision.reasons[2]
    restarted = await router(search, memory=memory).route(task("Tell Ada"))
    assert restarted.tde == "notify"


async def test_a_persons_answer_stands_in_for_a_name_that_nobody_has() -> None:
    routes = router(FixedSearch())
    misspelt = task(headers={"tde": "emial"})
    assert (await routes.route(misspelt)).stage == "person"
    await routes.learn(misspelt, "email", chosen_by="ada")
    decision = await routes.route(misspelt)
    assert (decision.tde, decision.stage) == ("email", "retrieval")
    assert "no TDE of that name is registered" in decision.reasons[0]


async def test_a_rule_that_wants_a_person_gets_one_each_time() -> None:
    routes = router(FixedSearch(email=0.9), tables=saying({"tde": "", "reason": "too risky"}))
    await routes.learn(task(), "email", chosen_by="ada")
    for _ in range(2):
        decision = await routes.route(task())
        assert (decision.tde, decision.stage) == (None, "person")
        assert [it.tde for it in decision.candidates] == ["email"]


async def test_a_persons_second_answer_replaces_the_first() -> None:
    routes = router(FixedSearch())
    await routes.learn(task(), "notify", chosen_by="ada")
    await routes.learn(task(), "email", chosen_by="ada")
    assert (await routes.route(task())).tde == "email"


async def test_answers_reach_the_search() -> None:
    search = FixedSearch(email=0.8)
    routes = router(search)
    await routes.learn(task("Tell Ada"), "notify", chosen_by="ada")
    await routes.route(task("Tell Bob"))
    assert [(it.text, it.tde) for it in search.examples[-1]] == [("Tell Ada", "notify")]


async def test_what_another_kernel_learned_is_read_after_a_while() -> None:
    memory = Memory()
    options = RouterOptions(examples_fresh_for=timedelta(0))
    mine, other = (router(FixedSearch(email=0.8), memory=memory, options=options) for _ in range(2))
    assert (await mine.route(task())).tde == "email"
    await other.learn(task(), "notify", chosen_by="ada")
    assert (await mine.route(task())).tde == "notify"


async def test_an_answer_that_cannot_be_kept_counts_as_long_as_the_process_lives() -> None:
    memory = Memory()
    memory.is_away = True
    routes = router(FixedSearch(), memory=memory, options=RouterOptions(examples_fresh_for=timedelta(0)))
    await routes.learn(task(), "notify", chosen_by="ada")
    assert (await routes.route(task())).tde == "notify"
    memory.is_away = False
    assert (await routes.route(task())).tde == "notify"


async def test_an_answer_for_a_tde_that_is_gone_or_has_failed_does_not_count() -> None:
    memory = Memory()
    await router(memory=memory, catalogue=Catalogue([tde("old")])).learn(task(), "old", chosen_by="ada")
    assert (await router(FixedSearch(email=0.8), memory=memory).route(task())).tde == "email"
    routes = router(FixedSearch(email=0.8))
    await routes.learn(task(), "notify", chosen_by="ada")
    assert (await routes.route(task(), not_again=["notify"])).tde == "email"


async def test_only_a_registered_tde_can_be_learned() -> None:
    with pytest.raises(UsageError) as caught:
        await router().learn(task(), "emial", chosen_by="ada")
    assert caught.value.message == "there is no TDE 'emial'"
    assert caught.value.hint == "did you mean 'email'?"


async def test_an_answer_for_a_task_without_words_counts_for_that_place_alone() -> None:
    search = FixedSearch(email=0.9)
    routes = router(search)
    nameless = task("", element_id="Activity_0abcdef")
    await routes.learn(nameless, "notify", chosen_by="ada")
    assert (await routes.route(nameless)).tde == "notify"
    assert (await routes.route(task("", element_id="Activity_0zzzzzz"))).stage == "person"
    await routes.route(task("Send it"))
    assert search.examples == [()]


async def test_preparing_says_what_does_not_work(caplog) -> None:
    search = FixedSearch()
    await router(search).prepare()
    assert not caplog.records
    search.error = RoutingError("the model's files are damaged")
    await router(search).prepare()
    assert "the model's files are damaged" in caplog.text


async def test_decisions_in_memory_are_bounded() -> None:
    search = FixedSearch(email=0.8)
    routes = router(search, options=RouterOptions(remembered=2))
    for name in ("a1", "b1", "c1"):
        await routes.route(task(name))
    assert (await routes.route(task("c1"))).is_cached
    assert not (await routes.route(task("a1"))).is_cached


async def test_the_usual_catalogue_has_guards() -> None:
    assert {name for name in ("email", "notify", "http", "shell") if USUAL.get(name).is_guarded} == {"http", "shell"}
