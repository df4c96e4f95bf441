"""What examples teach: the TDEs' own and people's answers, as a classifier and how sure it may be of what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from procos.adapters.catalogue_search.ridge import Ridge, fit
from procos.adapters.catalogue_search.similarity import Meaning, Similarity
from procos.adapters.catalogue_search.text import clean, words
from procos.model.catalogue import CatalogueEntry
from procos.model.routing import RoutingExample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_EXAMPLES: Final = 4_000
"""Of more, the newest count: the classifier works with the similarity of every two (0.6 GB at most while it learns)."""


@dataclass(frozen=True)
class Lesson:
    """A text and the class that it is an example of: the place of an entry, or the number of entries for "none"."""

    text: str
    place: int


def lessons(
    catalogue: Sequence[CatalogueEntry], examples: Sequence[RoutingExample], *, most: int = MOST_EXAMPLES
) -> tuple[Lesson, ...]:
    """The newest examples, without those that say nothing; of the same text twice, the later one counts."""
    places = {entry.name: place for place, entry in enumerate(catalogue)}
    by_text = {clean(text): place for place, entry in enumerate(catalogue) for text in entry.examples}
    by_text.update({clean(example.text): places.get(example.tde, len(catalogue)) for example in examples})
    said = [Lesson(text, place) for text, place in by_text.items() if words(text)]
    return tuple(said[-most:])


@dataclass(frozen=True)
class Opinion:
    """What the examples say of some texts, a row each, with a column for each class that has examples.

    `scores` are about 1 for the right class; `nearest` is the similarity to the class's most similar example.
    """

    scores: "NDArray[np.floating[Any]]"
    nearest: "NDArray[np.floating[Any]]"


class Taught:
    """The classifier for some lessons, at least one; `places` are its classes, ascending."""

    def __init__(self, taught: Sequence[Lesson], meaning: Meaning) -> None:
        import numpy as np  # noqa: PLC0415

        self.lessons = sorted(taught, key=lambda lesson: lesson.place)
        places, classes, self.counts = np.unique(
            [lesson.place for lesson in self.lessons], return_inverse=True, return_counts=True
        )
        self.places: NDArray[np.int64] = places
        self.classes: NDArray[np.int64] = classes
        self._starts = np.searchsorted(classes, np.arange(len(places)))
        texts = [lesson.text for lesson in self.lessons]
        self._similarity = Similarity(texts, meaning)
        self._similar = self._similarity(texts)
        self._ridge: Ridge = fit(self._similar, classes, count=len(places))

    def opinion(self, text: str) -> Opinion:
        """Of one text."""
        return self._opinion(self._similarity([text]))

    def opinion_unseen(self) -> Opinion:
        """Of each lesson's text, as if that lesson were not there."""
        return Opinion(scores=self._ridge.unseen, nearest=self._nearest(self._without_themselves()))

    def opinion_unknown(self) -> Opinion:
        """Of each lesson's text, as if no lesson of its class were there."""
        import numpy as np  # noqa: PLC0415

        nearest = self._nearest(self._similar)
        nearest[np.arange(len(nearest)), self.classes] = 0
        return Opinion(scores=self._ridge.unknown, nearest=nearest)

    def _opinion(self, similar: "NDArray[np.floating[Any]]") -> Opinion:
        return Opinion(scores=similar @ self._ridge.weights, nearest=self._nearest(similar))

    def _nearest(self, similar: "NDArray[np.floating[Any]]") -> "NDArray[np.floating[Any]]":
        import numpy as np  # noqa: PLC0415

        return np.maximum.reduceat(similar, self._starts, axis=1)

    def _without_themselves(self) -> "NDArray[np.floating[Any]]":
        similar = self._similar.copy()
        similar[range(len(similar)), range(len(similar))] = 0
        return similar
