"""Stage 3: what a person chose for the very same task, and the search over the catalogue."""

import asyncio
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, TypeVar

from procos.errors import ProcosError, RoutingError
from procos.model.routing import Candidate
from procos.model.task import Task
from procos.ports.catalogue_search import CatalogueSearch
from procos.routing.catalogue import Catalogue, RoutableTde
from procos.routing.examples import ExampleSet
from procos.routing.guard import is_prepared
from procos.routing.options import RouterOptions
from procos.routing.task_words import TaskWords
from procos.routing.verdict import Verdict

_T = TypeVar("_T")


class Retrieval:
    """Asks the search, one task after the other and beside the event loop."""

    def __init__(self, search: CatalogueSearch, options: RouterOptions) -> None:
        self._search = search
        self._options = options
        self._lock = asyncio.Lock()

    async def ask(
        self, task: Task, words: TaskWords, catalogue: Catalogue, examples: ExampleSet, away: Collection[str]
    ) -> Verdict:
        """The TDE that a person chose for this task before, or the first one found if that is sure enough."""
        chosen = chosen_before(words, catalogue, examples, away)
        if chosen is not None:
            return chosen
        if not words.text:
            return _passed("the task has no name and no documentation to search by")
        try:
            candidates = await self.candidates(words, catalogue, examples, away)
        except ProcosError as error:
            return _passed(error.message, is_lasting=False)
        return self._judge(task, catalogue, candidates, cut=words.is_cut)

    async def candidates(
        self, words: TaskWords, catalogue: Catalogue, examples: ExampleSet, away: Collection[str]
    ) -> tuple[Candidate, ...]:
        """The best ones of those that are registered and have not failed, best first.

        Raises:
            ProcosError: there is no search, or it does not work.
        """
        limit = self._options.candidates + len(away)
        found = await self._beside(
            partial(self._search.search, words.text, catalogue.entries, examples.in_words, limit=limit),
            self._options.search_time_limit.total_seconds(),
        )
        usable = [it for it in found if it.tde not in away and catalogue.get(it.tde) is not None]
        return tuple(sorted(usable, key=lambda it: -it.confidence)[: self._options.candidates])

    async def prepare(self, catalogue: Catalogue, examples: ExampleSet) -> None:
        """Computes what searches need, so that the first task does not wait for it.

        Raises:
            ProcosError: there is no search, or it does not work.
        """
        await self._beside(partial(self._search.prepare, catalogue.entries, examples.in_words), None)

    async def _beside(self, work: Callable[[], _T], seconds: float | None) -> _T:
        """Runs `work` in a thread, one after the other; a thread that takes too long keeps the others waiting."""
        try:
            async with asyncio.timeout(seconds):
                await self._lock.acquire()
                working = asyncio.ensure_future(asyncio.to_thread(work))
                working.add_done_callback(self._is_done)
                return await asyncio.shield(working)
        except TimeoutError:
            raise RoutingError(f"no answer within {seconds:g} s") from None

    def _is_done(self, working: asyncio.Future[Any]) -> None:
        self._lock.release()
        if not working.cancelled():
            working.exception()  # nobody may wait for it any more

    def _judge(self, task: Task, catalogue: Catalogue, candidates: tuple[Candidate, ...], *, cut: bool) -> Verdict:
        if not candidates:
            return _passed("it found nothing")
        best, needed = candidates[0], self._options.threshold
        read = ", by the beginning of a long text" if cut else ""
        if best.confidence < needed:
            why = f"the best is '{best.tde}' with {best.confidence:.2f}{read}, and {needed:.2f} is needed"
            return _passed(why, candidates)
        tde = catalogue.get(best.tde)
        if tde is not None and tde.is_guarded and not is_prepared(tde.input_schema, task.inputs):
            return _passed(f"'{best.tde}' is the best with {best.confidence:.2f}, but {unprepared(tde)}", candidates)
        return Verdict(
            stage="retrieval",
            tde=best.tde,
            confidence=best.confidence,
            reason=f"search: '{best.tde}' is the best with {best.confidence:.2f}{read}; {needed:.2f} is needed",
            candidates=candidates,
        )


def unprepared(tde: RoutableTde) -> str:
    """Why words alone do not lead to a guarded TDE."""
    required = [it.name for it in tde.entry.inputs if it.required]
    lacking = f"its inputs ({', '.join(required)}) as variables" if required else "any of its inputs as a variable"
    return f"it may use any secret, and the task does not have {lacking}: words alone do not choose it"


def chosen_before(
    words: TaskWords, catalogue: Catalogue, examples: ExampleSet, away: Collection[str]
) -> Verdict | None:
    """What a person said of the very same task, None where nobody was asked or that TDE cannot be had."""
    example = examples.of(words.key)
    if example is None or example.tde in away or catalogue.get(example.tde) is None:
        return None
    who = f" ({example.chosen_by})" if example.chosen_by else ""
    reason = f"search: a person{who} chose '{example.tde}' for this very task, on {example.chosen_at:%Y-%m-%d}"
    candidates = (Candidate(tde=example.tde, confidence=1, reason="a person chose it for this very task"),)
    return Verdict(stage="retrieval", tde=example.tde, confidence=1.0, reason=reason, candidates=candidates)


def _passed(why: str, candidates: tuple[Candidate, ...] = (), *, is_lasting: bool = True) -> Verdict:
    return Verdict(stage="retrieval", reason=f"search: {why}", candidates=candidates, is_lasting=is_lasting)
