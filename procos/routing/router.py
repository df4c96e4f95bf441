"""The TaskRouter: five stages, each of which answers or passes on."""

import logging
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from procos.errors import ProcosError, UsageError
from procos.model.routing import Candidate, KeptDecision, RoutingDecision, RoutingExample
from procos.model.task import Task
from procos.ports.catalogue_search import CatalogueSearch
from procos.ports.decision_tables import DecisionTables
from procos.ports.routing_memory import RoutingMemory
from procos.ports.task_chooser import TaskChooser
from procos.routing.catalogue import Catalogue
from procos.routing.choosing import Choosing
from procos.routing.claims import ask_task
from procos.routing.content import content_hash
from procos.routing.examples import Examples, ExampleSet
from procos.routing.forgiving_memory import ForgivingMemory
from procos.routing.inputs import PREFIX, fill_inputs
from procos.routing.options import RouterOptions
from procos.routing.recent import KeyedLocks, Recent
from procos.routing.retrieval import Retrieval, chosen_before
from procos.routing.rules import NOT_ASKED, Rules, RulesAnswer, judge
from procos.routing.task_words import TaskWords, words_of
from procos.routing.verdict import Verdict

_CACHED = "cache: the same task was decided so before"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One task, and all that a decision about it may depend on."""

    task: Task
    words: TaskWords
    catalogue: Catalogue
    away: frozenset[str]
    examples: ExampleSet
    claim: Verdict
    rules: RulesAnswer
    content: str


class StagedRouter:
    """The task itself, rules, search, chat model, person: in this order, until one answers.

    `catalogue` gives the TDEs that are registered now, the same object while they are the same. What is missing of
    `tables`, `chooser` and `memory` is not asked; a stage that is away passes on, and says so in the reasons.
    """

    def __init__(
        self,
        catalogue: Callable[[], Catalogue],
        search: CatalogueSearch,
        *,
        tables: DecisionTables | None = None,
        chooser: TaskChooser | None = None,
        memory: RoutingMemory | None = None,
        options: RouterOptions | None = None,
    ) -> None:
        self._options = options or RouterOptions()
        self._catalogue = catalogue
        self._rules = Rules(tables, self._options)
        self._retrieval = Retrieval(search, self._options)
        self._choosing = Choosing(chooser, time_limit=self._options.model_time_limit)
        self._memory = ForgivingMemory(memory, time_limit=self._options.memory_time_limit)
        self._examples = Examples(self._memory, self._options)
        self._decided: Recent[str, RoutingDecision] = Recent(self._options.remembered)
        self._locks: KeyedLocks[str] = KeyedLocks()

    async def prepare(self) -> None:
        """Reads and computes what the first task would wait for; what fails here is a stage's own matter later."""
        try:
            await self._retrieval.prepare(self._catalogue(), await self._examples.current())
        except ProcosError as error:
            _log.warning("tasks are routed without the search over the catalogue: %s", error.message)

    async def route(self, task: Task, *, not_again: Collection[str] = ()) -> RoutingDecision:
        """The TDE for `task`; those in `not_again` have failed at it and are left out."""
        asked = await self._take(task, frozenset(not_again))
        decision = _filled(asked, await self._decide(asked))
        # The trace says which variable became which input; the values are the engine's to keep.
        kept = decision.model_copy(update={"inputs": {}})
        await self._memory.keep(
            KeptDecision(
                correlation_id=task.correlation_id,
                job_key=task.job_key,
                content_hash=asked.content,
                decision=kept,
                decided_at=datetime.now(UTC),
            )
        )
        return decision

    async def learn(self, task: Task, tde: str, *, chosen_by: str) -> None:
        """Keeps a person's answer, as an example for tasks like this one.

        Raises:
            UsageError: there is no TDE of that name; the hint names near ones.
        """
        catalogue = self._catalogue()
        if catalogue.get(tde) is None:
            near = ", ".join(f"'{name}'" for name in catalogue.near(tde))
            hint = f"did you mean {near}?" if near else "`procos tde list` shows them"
            raise UsageError(f"there is no TDE '{tde}'", hint=hint)
        example = RoutingExample(text=words_of(task).key, tde=tde, chosen_by=chosen_by, chosen_at=datetime.now(UTC))
        await self._examples.add(example)

    async def _take(self, task: Task, away: frozenset[str]) -> _Asked:
        catalogue, words = self._catalogue(), words_of(task)
        claim = ask_task(task, catalogue, away)
        rules = NOT_ASKED if claim.is_final else await self._rules.ask(task)
        examples = await self._examples.current()
        content = content_hash(
            task,
            words,
            catalogue,
            rules=rules,
            examples=examples,
            away=away,
            chooser=self._choosing.model,
            threshold=self._options.threshold,
        )
        return _Asked(task, words, catalogue, away, examples, claim, rules, content)

    async def _decide(self, asked: _Asked) -> RoutingDecision:
        """The decision without inputs."""
        if asked.claim.tde is not None:
            return _decision([asked.claim], asked.catalogue)
        async with self._locks.hold(asked.content):
            known = self._decided.get(asked.content) or await self._recalled(asked)
            if known is not None and _is_usable(known, asked):
                self._decided.put(asked.content, known)
                return known.model_copy(update={"is_cached": True, "reasons": (*known.reasons, _CACHED)})
            path = [verdict async for verdict in self._stages(asked)]
            decision = _decision(path, asked.catalogue)
            if all(verdict.is_lasting for verdict in path):
                self._decided.put(asked.content, decision)
            return decision

    async def _recalled(self, asked: _Asked) -> RoutingDecision | None:
        """What the memory has of the same content, without what belonged to the task of then."""
        found = await self._memory.find(asked.content)
        if found is None:
            return None
        lasting = tuple(it for it in found.reasons if not it.startswith(PREFIX) and it != _CACHED)
        return found.model_copy(update={"reasons": lasting, "inputs": {}, "missing": (), "is_cached": False})

    async def _stages(self, asked: _Asked) -> AsyncIterator[Verdict]:
        """What each stage says, up to the first that answers; a person is the last one."""
        yield asked.claim
        if asked.claim.is_final:
            yield await self._instead(asked, asked.claim)
            return
        ruled = judge(asked.rules, asked.catalogue, asked.away)
        yield ruled
        if ruled.is_final:
            if ruled.asks_person:
                yield await self._instead(asked, ruled)
            return
        found = await self._retrieval.ask(asked.task, asked.words, asked.catalogue, asked.examples, asked.away)
        yield found
        if found.is_final:
            return
        chosen = await self._choosing.ask(asked.task, asked.words, asked.catalogue, found.candidates)
        yield chosen
        if not chosen.is_final:
            yield Verdict(stage="person", asks_person=True, reason=_nobody(asked.catalogue))

    async def _instead(self, asked: _Asked, verdict: Verdict) -> Verdict:
        """A person instead of what cannot be had; the search, which was not asked, says whom they may think of."""
        if not verdict.is_settled:
            chosen = chosen_before(asked.words, asked.catalogue, asked.examples, asked.away)
            if chosen is not None:
                return chosen
        candidates, is_lasting = verdict.candidates, True
        if asked.words.text:
            try:
                found = await self._retrieval.candidates(asked.words, asked.catalogue, asked.examples, asked.away)
            except ProcosError as error:
                is_lasting = False
                _log.warning("a person is asked without the search's candidates: %s", error.message)
            else:
                named = {it.tde for it in candidates}
                candidates = (*candidates, *(it for it in found if it.tde not in named))
        return Verdict(
            stage="person", asks_person=True, reason="person: asked", candidates=candidates, is_lasting=is_lasting
        )


def _nobody(catalogue: Catalogue) -> str:
    return "person: asked, since no stage is sure enough" if len(catalogue) else "person: asked; no TDE is registered"


def _decision(path: list[Verdict], catalogue: Catalogue) -> RoutingDecision:
    last = path[-1]
    tde = catalogue.get(last.tde) if last.tde else None
    candidates: list[tuple[Candidate, ...]] = [it.candidates for it in path if it.candidates]
    return RoutingDecision(
        tde=last.tde,
        process_id=tde.entry.process_id if tde else None,
        stage=last.stage,
        confidence=last.confidence,
        reasons=tuple(it.reason for it in path),
        candidates=candidates[-1] if candidates else (),
    )


def _is_usable(known: RoutingDecision, asked: _Asked) -> bool:
    """Not where the TDE is registered no more, or has failed: the hash says so too, but a store may hold anything."""
    if known.tde is None:
        return True
    return asked.catalogue.get(known.tde) is not None and known.tde not in asked.away


def _filled(asked: _Asked, decision: RoutingDecision) -> RoutingDecision:
    tde = asked.catalogue.get(decision.tde) if decision.tde else None
    if tde is None:
        return decision
    filled = fill_inputs(tde.input_schema, asked.task.inputs, asked.words.text)
    return decision.model_copy(
        update={
            "process_id": tde.entry.process_id,
            "inputs": filled.inputs,
            "missing": filled.missing,
            "reasons": (*decision.reasons, *filled.reasons),
        }
    )
