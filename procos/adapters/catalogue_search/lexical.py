"""Which texts share terms with a query: an inverted index, weighted as BM25 or as TF-IDF cosine."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Weighting = Literal["bm25", "cosine", "flat cosine"]

_K1 = 1.2
_B = 0.5
_Postings = tuple[list[int], list[float]]


class TermIndex:
    """The terms of some texts, by term: a query costs time by how many texts share its terms.

    Scores are 0 (no term in common) to 1: by "cosine" the cosine of the TF-IDF vectors, by "flat cosine" the same with
    the root of the IDF, so that the small words of a question count; by "bm25" the part of the
    query's terms, weighted by how rare they are, that a text has.
    """

    def __init__(self, texts: Sequence[Mapping[str, float]], *, weighting: Weighting) -> None:
        import numpy as np  # noqa: PLC0415

        self._count = len(texts)
        self._weighting = weighting
        self._rarity = _rarity(texts)
        if weighting == "flat cosine":
            self._rarity = {term: math.sqrt(rarity) for term, rarity in self._rarity.items()}
        unseen = math.log1p(2 * self._count + 1)
        self._unseen = math.sqrt(unseen) if weighting == "flat cosine" else unseen
        postings: dict[str, _Postings] = {}
        weigh = self._bm25(texts) if weighting == "bm25" else self._cosine
        for number, terms in enumerate(texts):
            for term, weight in weigh(terms).items():
                numbers, weights = postings.setdefault(term, ([], []))
                numbers.append(number)
                weights.append(weight)
        self._postings = {
            term: (np.array(numbers, dtype=np.int32), np.array(weights, dtype=np.float32))
            for term, (numbers, weights) in postings.items()
        }

    def scores(self, query: Mapping[str, float]) -> "NDArray[np.float32]":
        """How alike each text is to the terms of a query, in the texts' order."""
        import numpy as np  # noqa: PLC0415

        weighted = self._query(query)
        known = [term for term in weighted if term in self._postings]
        if not known:
            return np.zeros(self._count, dtype=np.float32)
        found = [self._postings[term] for term in known]
        numbers = np.concatenate([numbers for numbers, _ in found])
        weights = np.concatenate([weights for _, weights in found])
        weights *= np.repeat(
            np.array([weighted[term] for term in known], dtype=np.float32), [len(numbers) for numbers, _ in found]
        )
        return np.bincount(numbers, weights, minlength=self._count).astype(np.float32)

    def _query(self, terms: Mapping[str, float]) -> dict[str, float]:
        if self._weighting != "bm25":
            return self._cosine(terms)
        known = {term: self._rarity.get(term, self._unseen) * count for term, count in terms.items()}
        total = sum(known.values()) or 1.0
        return {term: weight / total for term, weight in known.items()}

    def _cosine(self, terms: Mapping[str, float]) -> dict[str, float]:
        weighted = {
            term: (1 + math.log(count)) * self._rarity.get(term, self._unseen)
            for term, count in terms.items()
            if count > 0
        }
        length = math.sqrt(sum(weight * weight for weight in weighted.values())) or 1.0
        return {term: weight / length for term, weight in weighted.items()}

    def _bm25(self, texts: Sequence[Mapping[str, float]]) -> "_Saturation":
        return _Saturation(sum(sum(terms.values()) for terms in texts) / max(len(texts), 1))


class _Saturation:
    """How much each further occurrence of a term in a text counts, by BM25: less and less, and less in a long text."""

    def __init__(self, usual_length: float) -> None:
        self._usual_length = usual_length or 1.0

    def __call__(self, terms: Mapping[str, float]) -> dict[str, float]:
        length = sum(terms.values()) / self._usual_length
        damping = _K1 * (1 - _B + _B * length)
        return {term: count * (1 + _K1) / (count + damping) / (1 + _K1) for term, count in terms.items()}


def _rarity(texts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    frequency = Counter(term for terms in texts for term in terms)
    return {term: math.log1p((len(texts) - count + 0.5) / (count + 0.5)) for term, count in frequency.items()}
