"""The development data for the search over the catalogue, and what is counted on it; it is read where it lies."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from procos.adapters.catalogue_search.search import FusedCatalogueSearch
from procos.adapters.catalogue_search.text import readable
from procos.model.catalogue import CatalogueEntry
from procos.model.routing import RoutingExample
from procos.ports.catalogue_search import NONE_OF_THESE

DATA = Path(__file__).parents[3] / "shared" / "data"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def entry(name: str, description: str, *examples: str) -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        description=description,
        examples=examples,
        inputs=(),
        outputs=(),
        mode="deterministic",
        job_type=f"tde.{name}",
        process_id=f"tde-{name}",
        hash=f"{name} {description} {examples}",
    )


# -- FLOW-BENCH ---


@dataclass(frozen=True)
class Utterance:
    """A sentence and the activities of the workflow that it asks for; `prior` are those that were there before."""

    text: str
    wanted: tuple[str, ...]
    prior: tuple[str, ...]


def activities(data: Path = DATA) -> tuple[CatalogueEntry, ...]:
    found = json.loads((data / "flow-bench" / "catalogue.json").read_text())
    return tuple(entry(it["id"], it["description"]) for it in found)


def utterances(data: Path = DATA, file: str = "dev.jsonl") -> list[Utterance]:
    known = {it.name for it in activities(data)}
    rows = [json.loads(line) for line in (data / "flow-bench" / file).read_text().splitlines()]
    return [
        Utterance(
            text=row["utterance"],
            wanted=tuple(call for call in _calls(row["expected_outline"]) if call in known),
            prior=tuple(call for call in _calls(row["prior_outline"]) if call in known),
        )
        for row in rows
    ]


def _calls(outline: Sequence[dict[str, Any]]) -> Iterator[str]:
    for node in outline:
        if "call" in node:
            yield node["call"]
        for branch in node.get("if", []):
            yield from _calls(branch)
        yield from _calls(node.get("loop", []))


@dataclass(frozen=True)
class Recall:
    at_10: float
    at_50: float
    calls: int


def recall(rows: Sequence[Utterance], catalogue: tuple[CatalogueEntry, ...], *, with_prior: bool) -> Recall:
    """Of all wanted calls, those among the first 10 and 50.

    With `with_prior` the text is the utterance and the names of the workflow's activities so far, and all calls of the
    result count; else the text is the utterance alone, and the calls that were there before do not count.
    """
    search = FusedCatalogueSearch()
    places: list[int] = []
    for row in rows:
        prior = [readable(name) for name in row.prior] if with_prior else []
        found = search.search(". ".join([row.text, *prior]), catalogue, limit=len(catalogue))
        place = {it.tde: number for number, it in enumerate(found)}
        places += [place[call] for call in row.wanted if with_prior or call not in row.prior]
    return Recall(*(sum(it < first for it in places) / len(places) for first in (10, 50)), calls=len(places))


# -- CLINC150 ---


@dataclass(frozen=True)
class Answer:
    """The first candidate for a sentence: `is_in_scope` of the sentence, `is_right` of the candidate."""

    is_in_scope: bool
    is_right: bool
    confidence: float


@dataclass(frozen=True)
class Intents:
    catalogue: tuple[CatalogueEntry, ...]
    examples: tuple[RoutingExample, ...]
    asked: tuple[tuple[str, str], ...]


def intents(data: Path = DATA, *, per_intent: int = 100, asked_per_intent: int = 20, file: str = "dev.json") -> Intents:
    """Intents as TDEs, training sentences as people's answers ("none of these" too), validation sentences as tasks."""
    parts = json.loads((data / "clinc150" / file).read_text())
    names = sorted({intent for _, intent in parts["train"]})
    taught = [(text, intent) for text, intent in _some(parts["train"], per_intent)]
    taught += [(text, NONE_OF_THESE) for text, _ in parts["oos_train"]]
    asked = [(text, intent) for text, intent in _some(parts["val"], asked_per_intent)]
    return Intents(
        catalogue=tuple(entry(name, readable(name)) for name in names),
        examples=tuple(RoutingExample(text=text, tde=tde, chosen_at=NOW) for text, tde in taught),
        asked=(*asked, *((text, NONE_OF_THESE) for text, _ in parts["oos_val"])),
    )


def _some(rows: Sequence[Sequence[str]], each: int) -> Iterator[Sequence[str]]:
    """The first `each` of every intent."""
    seen: dict[str, int] = {}
    for row in rows:
        seen[row[1]] = seen.get(row[1], 0) + 1
        if seen[row[1]] <= each:
            yield row


def answers(search: FusedCatalogueSearch, data: Intents) -> list[Answer]:
    found = []
    for text, wanted in data.asked:
        best = search.search(text, data.catalogue, data.examples, limit=1)
        confidence = best[0].confidence if best else 0.0
        found.append(Answer(wanted != NONE_OF_THESE, bool(best) and best[0].tde == wanted, confidence))
    return found


@dataclass(frozen=True)
class Point:
    """What one threshold gives: in-scope sentences answered rightly, answered at all, and others left unanswered."""

    threshold: float
    right: float
    answered: float
    abstained: float


def at_threshold(given: Sequence[Answer], threshold: float) -> Point:
    inside = [it for it in given if it.is_in_scope]
    outside = [it for it in given if not it.is_in_scope]
    return Point(
        threshold,
        right=sum(it.is_right and it.confidence >= threshold for it in inside) / len(inside),
        answered=sum(it.confidence >= threshold for it in inside) / len(inside),
        abstained=sum(it.confidence < threshold for it in outside) / len(outside),
    )


def at_recall(given: Sequence[Answer], wanted: float) -> Point:
    """The point of the highest threshold at which that part of the in-scope sentences is answered rightly."""
    right = sorted((it.confidence for it in given if it.is_in_scope and it.is_right), reverse=True)
    needed = -(-int(wanted * 10_000) * sum(it.is_in_scope for it in given) // 10_000)
    return at_threshold(given, right[needed - 1] if needed <= len(right) else 0.0)
