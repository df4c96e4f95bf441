"""The search over the catalogue: entries ranked by their descriptions, examples by what they teach, in one list."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from procos.adapters.catalogue_search import confidence
from procos.adapters.catalogue_search.calibration import Logistic
from procos.adapters.catalogue_search.embeddings import Embeddings
from procos.adapters.catalogue_search.entry_ranking import EntryIndex, EntryRanking
from procos.adapters.catalogue_search.sentence_model import SentenceModel, is_installed
from procos.adapters.catalogue_search.similarity import Meaning
from procos.adapters.catalogue_search.teaching import MOST_EXAMPLES, Lesson, Taught, lessons
from procos.adapters.catalogue_search.text import clean, words
from procos.model.catalogue import CatalogueEntry
from procos.model.routing import Candidate, RoutingExample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_KEPT: Final = 4
_Made = TypeVar("_Made")


class FusedCatalogueSearch:
    """The port on WordLlama's embeddings, BM25, runs of characters, and a classifier of examples.

    May be used from several threads; what is prepared is kept in memory for the last few catalogues. Of the examples
    the newest `most_examples` are learned from: the time grows with their cube, the memory with their square.
    """

    def __init__(self, *, most_examples: int = MOST_EXAMPLES) -> None:
        self._most_examples = most_examples
        self._embeddings = Embeddings()
        self._meaning = meaning_of_examples(self._embeddings)
        self._lock = threading.Lock()
        self._indexes: _Recent[EntryIndex] = _Recent()
        self._lessons: _Recent[_Teaching | None] = _Recent()
        self._last: _Prepared | None = None

    def prepare(self, catalogue: Sequence[CatalogueEntry], examples: Sequence[RoutingExample] = ()) -> None:
        """Computes what searches in this catalogue need, unless that is there already."""
        if catalogue:
            self._prepared(catalogue, examples)

    def search(
        self,
        text: str,
        catalogue: Sequence[CatalogueEntry],
        examples: Sequence[RoutingExample] = (),
        *,
        limit: int = 10,
    ) -> Sequence[Candidate]:
        """The `limit` best TDEs for a task in words, the surest first."""
        asked = clean(text)
        if not catalogue or not words(asked):
            return ()
        index, teaching = self._prepared(catalogue, examples)
        ranking = index.rank(asked)
        sure = _by_description(ranking)
        reasons = ["its description fits" for _ in catalogue]
        if teaching is not None:
            for place, confident in teaching.confidence(asked):
                sure[place] = confident
                reasons[place] = "its examples fit"
        by_rank = [int(place) for place in ranking.order]
        best = sorted(by_rank, key=lambda place: -sure[place])[: max(limit, 0)]
        return tuple(
            Candidate(
                tde=catalogue[place].name,
                confidence=float(sure[place]),
                reason=f"{reasons[place]} with confidence {sure[place]:.2f}",
            )
            for place in best
        )

    def _prepared(
        self, catalogue: Sequence[CatalogueEntry], examples: Sequence[RoutingExample]
    ) -> "tuple[EntryIndex, _Teaching | None]":
        with self._lock:
            if self._last is None or not self._last.is_for(catalogue, examples):
                self._last = self._prepare(catalogue, examples)
            return self._last.index, self._last.teaching

    def _prepare(self, catalogue: Sequence[CatalogueEntry], examples: Sequence[RoutingExample]) -> "_Prepared":
        entries = tuple((entry.name, entry.hash) for entry in catalogue)
        taught = lessons(catalogue, examples, most=self._most_examples)
        return _Prepared(
            catalogue,
            examples,
            self._indexes.get_or_make(entries, lambda: EntryIndex(catalogue, self._embeddings)),
            self._lessons.get_or_make((len(catalogue), taught), lambda: self._teach(taught, len(catalogue))),
        )

    def _teach(self, taught: Sequence[Lesson], none: int) -> "_Teaching | None":
        if all(lesson.place == none for lesson in taught):
            return None
        learned = Taught(taught, self._meaning)
        return _Teaching(learned, confidence.calibrated(learned, none=none), none)


def meaning_of_examples(embeddings: Embeddings) -> Meaning:
    """The sentence model where it is installed, which tells more apart and takes longer; else `embeddings`."""
    if is_installed():
        return Meaning(SentenceModel(), share=0.6, words=0.0, phrases=0.4)
    return Meaning(embeddings, share=0.6, words=0.2, phrases=0.2)


@dataclass(frozen=True)
class _Teaching:
    taught: Taught
    calibration: Logistic
    none: int

    def confidence(self, text: str) -> list[tuple[int, float]]:
        """The places of the entries that have examples, and how sure each is."""
        opinion = self.taught.opinion(text)
        facts = confidence.facts(opinion, self.taught.places, none=self.none)[0]
        sure = self.calibration(facts)
        return [
            (int(place), float(confident))
            for place, confident in zip(self.taught.places, sure, strict=True)
            if place != self.none
        ]


@dataclass(frozen=True)
class _Prepared:
    catalogue: Sequence[CatalogueEntry]
    examples: Sequence[RoutingExample]
    index: EntryIndex
    teaching: _Teaching | None

    def is_for(self, catalogue: Sequence[CatalogueEntry], examples: Sequence[RoutingExample]) -> bool:
        """Whether these are the same objects, and such as cannot have changed."""
        is_fixed = isinstance(catalogue, tuple) and isinstance(examples, tuple)
        return is_fixed and catalogue is self.catalogue and examples is self.examples


class _Recent(OrderedDict[Hashable, _Made]):
    """What was made last, by what it was made of."""

    def get_or_make(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        if key not in self:
            self[key] = make()
        self.move_to_end(key)
        while len(self) > _KEPT:
            self.popitem(last=False)
        return self[key]


def description_facts(ranking: EntryRanking) -> "NDArray[np.float32]":
    """For each entry, in the ranking's order: how alike it is to the text, and its lead over the next one."""
    import numpy as np  # noqa: PLC0415

    ordered = ranking.likeness[ranking.order]
    return np.column_stack([ordered, ordered - np.append(ordered[1:], 0)]).astype(np.float32)


def _by_description(ranking: EntryRanking) -> "NDArray[np.float64]":
    import numpy as np  # noqa: PLC0415

    # A place further down is never surer than one above: the order knows more than the likeness alone.
    sure = np.minimum.accumulate(confidence.BY_DESCRIPTION(description_facts(ranking)))
    result = np.empty_like(sure)
    result[ranking.order] = sure
    return result
