"""Which entries of the catalogue a text asks for, by what their authors wrote: three rankings, fused."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from procos.adapters.catalogue_search.embeddings import Embeddings
from procos.adapters.catalogue_search.lexical import TermIndex
from procos.adapters.catalogue_search.text import (
    Clause,
    character_terms,
    clauses,
    clean,
    deeds,
    initials,
    readable,
    words,
)
from procos.model.catalogue import CatalogueEntry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RANK_OFFSET: Final = 30
_WHOLE_TEXT: Final = 0.25
_LIKE_THE_BEST: Final = 0.25
_BEST: Final = 5
_HINT: Final = 0.5
_CONDITION: Final = 0.5


@dataclass(frozen=True)
class EntryRanking:
    """The entries' numbers, best first, and how alike each entry is to the text (0 to 1, in the entries' order)."""

    order: "NDArray[np.int64]"
    likeness: "NDArray[np.float32]"


class EntryIndex:
    """What the entries of a catalogue say about themselves, ready to be searched."""

    def __init__(self, entries: Sequence[CatalogueEntry], embeddings: Embeddings) -> None:
        said = [spoken(entry) for entry in entries]
        names = [readable(entry.name) for entry in entries]
        self._embeddings = embeddings
        self._vectors = embeddings(said)
        self._words = TermIndex(
            [_terms(text, initials(name)) for text, name in zip(said, names, strict=True)], weighting="bm25"
        )
        self._characters = TermIndex([character_terms(text) for text in said], weighting="cosine")

    def rank(self, text: str) -> EntryRanking:
        """All entries, by how well one of the text's clauses asks for them.

        Each clause has its own ranking, and the best of all clauses come first, then their second best, and so on: so
        that a text which asks for five things finds all five. The whole text, and what is like the best entries of
        other clauses, count too: who creates a bucket in one system uploads to the same one.
        """
        import numpy as np  # noqa: PLC0415

        parts = clauses(text) or [Clause(text)]
        scores = self._scores([part.text for part in parts] + [text])
        asked = scores[:, :-1] + _WHOLE_TEXT * scores[:, -1:]
        weights = np.array([_CONDITION if part.is_condition else 1.0 for part in parts], dtype=np.float32)
        first = (_fuse(asked) * weights[:, None]).max(axis=0)
        fused = _fuse(asked + _LIKE_THE_BEST * self._like_the_best(first)[:, None])
        places = (_places(fused) + 0.5) / weights[:, None]
        return EntryRanking(
            order=np.lexsort((places.mean(axis=0), places.min(axis=0))), likeness=scores.mean(axis=0).max(axis=0)
        )

    def _scores(self, texts: list[str]) -> "NDArray[np.float32]":
        """By ranker, text and entry."""
        import numpy as np  # noqa: PLC0415

        by_meaning = np.maximum(self._embeddings(texts) @ self._vectors.T, 0)
        by_words = np.stack([self._words.scores(_terms(text)) for text in texts])
        by_characters = np.stack([self._characters.scores(character_terms(text)) for text in texts])
        return np.stack([by_meaning, by_words, by_characters])

    def _like_the_best(self, fused: "NDArray[np.float32]") -> "NDArray[np.float32]":
        import numpy as np  # noqa: PLC0415

        best = np.argsort(-fused, kind="stable")[:_BEST]
        share = fused[best] / fused[best].sum()
        by_meaning = self._vectors @ (share @ self._vectors[best])
        return np.stack([by_meaning, np.zeros_like(by_meaning), np.zeros_like(by_meaning)])


def spoken(entry: CatalogueEntry) -> str:
    """All that an entry says in words."""
    return clean(". ".join([readable(entry.name), entry.description, *entry.examples]))


def _terms(text: str, hints: Iterable[str] = ()) -> dict[str, float]:
    terms: dict[str, float] = dict(Counter(words(text)))
    for hint in {*(f"does {deed}" for deed in deeds(terms)), *hints}:
        terms[hint] = terms.get(hint, 0) + _HINT
    return terms


def _places(scores: "NDArray[np.float32]") -> "NDArray[np.float32]":
    import numpy as np  # noqa: PLC0415

    order = np.argsort(-scores, axis=-1, kind="stable")
    places = np.empty(scores.shape, dtype=np.float32)
    np.put_along_axis(places, order, np.broadcast_to(np.arange(scores.shape[-1], dtype=np.float32), scores.shape), -1)
    return places


def _fuse(scores: "NDArray[np.float32]") -> "NDArray[np.float32]":
    fused: NDArray[np.float32] = (1 / (_RANK_OFFSET + _places(scores))).sum(axis=0)
    return fused
