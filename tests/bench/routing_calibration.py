"""Fits the constants of procos/adapters/catalogue_search/confidence.py on the development data, and prints them.

Only the training part of CLINC150 is used, so that its validation part still says something.
"""

import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from routing_data import Intents, activities, intents, utterances

from procos.adapters.catalogue_search import confidence
from procos.adapters.catalogue_search.calibration import Logistic, fit_logistic
from procos.adapters.catalogue_search.embeddings import Embeddings
from procos.adapters.catalogue_search.entry_ranking import EntryIndex
from procos.adapters.catalogue_search.search import description_facts, meaning_of_examples
from procos.adapters.catalogue_search.teaching import Taught, lessons
from procos.adapters.catalogue_search.text import clean
from procos.model.catalogue import CatalogueEntry
from procos.ports.catalogue_search import NONE_OF_THESE

ROUNDS = 24
INTENTS = 20
OUTSIDE = 0.2
"""The part of the tasks that no TDE is for."""


def by_description(embeddings: Embeddings) -> Logistic:
    """Tasks of FLOW-BENCH with its catalogue, and with that catalogue less all that is like what they want."""
    facts, right = [], []
    catalogue = activities()
    for row in utterances():
        without = tuple(it for it in catalogue if _system(it.name) not in {_system(call) for call in row.wanted})
        for entries, wanted in ((catalogue, row.wanted), (without, ())):
            index = _index(entries, embeddings)
            for text in row.text.split(". "):
                ranking = index.rank(clean(text))
                facts.append(description_facts(ranking)[0])
                right.append(entries[ranking.order[0]].name in wanted)
    data = intents(per_intent=3)
    index = _index(data.catalogue, embeddings)
    for example in data.examples:
        ranking = index.rank(clean(example.text))
        facts.append(description_facts(ranking)[0])
        right.append(data.catalogue[ranking.order[0]].name == example.tde)
    _report("by description", facts, right, fitted := _fit(facts, right))
    return fitted


def by_examples(embeddings: Embeddings) -> Logistic:
    """Small catalogues of 20 intents, with 1 to 8 examples each; sometimes with examples of "none of these"."""
    meaning, data, facts, right = meaning_of_examples(embeddings), intents(), [], []
    for number in range(ROUNDS):
        draw = random.Random(number)  # noqa: S311 - no secret
        chosen = draw.sample(data.catalogue, INTENTS)
        taught, asked = _drawn(data, chosen, draw, each=(1, 2, 4, 8)[number % 4], with_none=number % 8 >= 4)
        learned = Taught(lessons(chosen, taught), meaning)
        for example in asked:
            opinion = learned.opinion(clean(example.text))
            every = confidence.facts(opinion, learned.places, none=INTENTS)[0]
            best = np.where(learned.places == INTENTS, -np.inf, opinion.scores[0]).argmax()
            facts.append(every[best])
            right.append(chosen[learned.places[best]].name == example.tde)
    _report("by examples", facts, right, fitted := _fit(facts, right))
    return fitted


def _drawn(data: Intents, chosen: Sequence[CatalogueEntry], draw: random.Random, *, each: int, with_none: bool):
    names = {it.name for it in chosen}
    strange = draw.sample(sorted({it.tde for it in data.examples} - names), 5)
    outside = [it for it in data.examples if it.tde in strange]
    draw.shuffle(outside)
    asked = outside[: int(INTENTS * 5 * OUTSIDE)]
    taught = outside[-10:] if with_none else []
    for name in sorted(names):
        own = draw.sample([it for it in data.examples if it.tde == name], each + 4)
        taught += own[:each]
        asked += own[each:]
    gone = [it.model_copy(update={"tde": NONE_OF_THESE}) if it.tde not in names else it for it in taught]
    return gone, asked


_INDEXES: dict[tuple[str, ...], EntryIndex] = {}


def _index(entries: tuple[CatalogueEntry, ...], embeddings: Embeddings) -> EntryIndex:
    key = tuple(it.name for it in entries)
    if key not in _INDEXES:
        _INDEXES[key] = EntryIndex(entries, embeddings)
    return _INDEXES[key]


def _system(name: str) -> str:
    return name.partition("_")[0]


def _fit(facts: Sequence[np.ndarray], right: Sequence[bool]) -> Logistic:
    return fit_logistic(np.array(facts), np.array(right), np.ones(len(right), dtype=np.float32))


def _report(name: str, facts: Sequence[np.ndarray], right: Sequence[bool], fitted: Logistic) -> None:
    print(name, tuple(round(it, 2) for it in fitted.weights), f"{len(right)} tasks, {np.mean(right):.0%} right")
    said = fitted(np.array(facts))
    for low, high in pairwise((0, 0.2, 0.4, 0.6, 0.8, 1.01)):
        some = np.array(right)[(said >= low) & (said < high)]
        if len(some):
            print(f"  {low:.1f}-{high:.1f}: {np.mean(some):.2f} right of {len(some)}")


if __name__ == "__main__":
    model = Embeddings()
    by_description(model)
    by_examples(model)
