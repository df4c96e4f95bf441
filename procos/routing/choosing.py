"""Stage 4: a chat model reads the task and the best candidates; what it says is checked."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from procos.errors import MissingExtraError, RoutingError
from procos.model.choice import Choice, Question
from procos.model.routing import Candidate
from procos.model.task import Task
from procos.ports.task_chooser import TaskChooser
from procos.routing.catalogue import Catalogue
from procos.routing.guard import is_prepared
from procos.routing.retrieval import unprepared
from procos.routing.schema_kinds import json_type_of
from procos.routing.task_words import TaskWords, clean
from procos.routing.verdict import Verdict

_AT_ONCE: Final = 8
_LONGEST_REASON: Final = 300


class Choosing:
    """Asks the model, where one is configured."""

    def __init__(self, chooser: TaskChooser | None, *, time_limit: timedelta) -> None:
        self._chooser = chooser
        self._time_limit = time_limit.total_seconds()
        # Providers refuse whoever asks too much at once, and a burst may be of many kinds.
        self._room = asyncio.Semaphore(_AT_ONCE)

    @property
    def model(self) -> str:
        """Which model is asked, empty where none is."""
        return self._chooser.name if self._chooser else ""

    async def ask(self, task: Task, words: TaskWords, catalogue: Catalogue, candidates: Sequence[Candidate]) -> Verdict:
        """The candidate that the model names, if it may lead there."""
        if self._chooser is None:
            return _passed("not asked, since no chat_model is set")
        if not candidates:
            return _passed("not asked, since there are no candidates")
        try:
            async with self._room, asyncio.timeout(self._time_limit):
                choice = await self._chooser.choose(_question(task, words, catalogue, candidates))
        except (RoutingError, MissingExtraError) as error:
            return _passed(error.message, is_lasting=False)
        except TimeoutError:
            return _passed(f"no answer within {self._time_limit:g} s", is_lasting=False)
        return _judge(choice, task, catalogue, candidates)


def _question(task: Task, words: TaskWords, catalogue: Catalogue, candidates: Sequence[Candidate]) -> Question:
    tdes = [catalogue.get(it.tde) for it in candidates]
    return Question(
        name=words.name or words.text,
        documentation=words.documentation,
        inputs={name: json_type_of(value) for name, value in task.inputs.items()},
        tdes=tuple(tde.entry for tde in tdes if tde is not None),
    )


def _judge(choice: Choice, task: Task, catalogue: Catalogue, candidates: Sequence[Candidate]) -> Verdict:
    said = clean(choice.reason)[:_LONGEST_REASON]
    why = f" ({said})" if said else ""
    if choice.tde is None:
        return _passed(f"it names none of the candidates{why}")
    named = next((it for it in candidates if it.tde == choice.tde), None)
    tde = catalogue.get(choice.tde)
    if named is None or tde is None:
        return _passed(f"it names '{clean(choice.tde[:63])}', which is no candidate")
    if tde.is_guarded and named is not candidates[0]:
        return _passed(f"it names '{named.tde}'{why}, which may use any secret and is not the first of the search")
    if tde.is_guarded and not is_prepared(tde.input_schema, task.inputs):
        return _passed(f"it names '{named.tde}'{why}, but {unprepared(tde)}")
    # Nobody has measured how often the model is right; the search's figure is the only honest one.
    reason = f"model: it names '{named.tde}'{why}"
    return Verdict(stage="model", tde=named.tde, confidence=named.confidence, reason=reason)


def _passed(why: str, *, is_lasting: bool = True) -> Verdict:
    return Verdict(stage="model", reason=f"model: {why}", is_lasting=is_lasting)
