"""Stage 4: how the model is asked; what it may answer is in test_router.py and test_bad_input.py."""

import asyncio
from datetime import timedelta

import pytest

from procos.model.choice import Choice
from procos.model.routing import Candidate
from procos.routing.choosing import Choosing
from procos.routing.task_words import words_of
from procos.routing.verdict import Verdict
from tests.unit.routing.doubles import USUAL, ScriptedChooser, choosing, task

pytestmark = pytest.mark.anyio

CANDIDATES = (Candidate(tde="email", confidence=0.4), Candidate(tde="notify", confidence=0.3))


async def ask(stage: Choosing, of: object = None) -> Verdict:
    asked = of or task()
    return await stage.ask(asked, words_of(asked), USUAL, CANDIDATES)


async def test_eight_questions_at_once_and_the_others_after_them() -> None:
    gate, waiting = asyncio.Event(), []

    async def slow() -> Choice:
        waiting.append(1)
        await gate.wait()
        return Choice(tde="email")

    stage = Choosing(ScriptedChooser(slow), time_limit=timedelta(seconds=30))
    asking = [asyncio.create_task(ask(stage)) for _ in range(30)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(waiting) == 8
    gate.set()
    assert {(await it).tde for it in asking} == {"email"}
    assert len(waiting) == 30


async def test_the_model_sees_names_and_types_of_variables_and_no_values() -> None:
    chooser = choosing("email")
    await ask(Choosing(chooser, time_limit=timedelta(seconds=5)), task(inputs={"iban": "DE02", "n": 1, "x": None}))
    assert chooser.questions[0].inputs == {"iban": "string", "n": "integer", "x": "null"}
    assert "DE02" not in chooser.questions[0].model_dump_json()


async def test_documentation_of_20_kb_reaches_the_model_by_its_beginning() -> None:
    chooser = choosing("email")
    await ask(Choosing(chooser, time_limit=timedelta(seconds=5)), task(documentation="x" * 20_000))
    assert len(chooser.questions[0].documentation) == 4_000


async def test_without_a_model_the_stage_says_so() -> None:
    verdict = await ask(Choosing(None, time_limit=timedelta(seconds=5)))
    assert verdict.reason == "model: not asked, since no chat_model is set"
