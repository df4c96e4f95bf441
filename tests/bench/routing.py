"""Measures the search over the catalogue (stage 3 of the Task Router) on the development data: `make bench`."""

import argparse
import statistics
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from routing_data import DATA, NOW, activities, answers, at_recall, at_threshold, intents, recall, utterances

from procos.adapters.catalogue_search.search import FusedCatalogueSearch
from procos.adapters.catalogue_search.sentence_model import is_installed
from procos.model.routing import RoutingExample


def main() -> None:
    """Prints one table; `--quick` asks a tenth of CLINC150 with 20 examples for each intent."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, default=DATA)
    arguments.add_argument("--quick", action="store_true")
    chosen = arguments.parse_args()
    if not (chosen.data / "flow-bench").is_dir():
        sys.exit(f"the development data is not in {chosen.data}: name its folder with --data")
    table = Table("measure", "target", "result", box=None)
    _flow_bench(table, chosen.data)
    _latency(table, chosen.data)
    _clinc150(table, chosen.data, quick=chosen.quick)
    Console(width=150).print(table)


def _flow_bench(table: Table, data: Path) -> None:
    rows, catalogue = utterances(data), activities(data)
    for name, with_prior in (("with the workflow so far", True), ("new calls, by the utterance alone", False)):
        found = recall(rows, catalogue, with_prior=with_prior)
        measured = f"{found.at_10:.3f} / {found.at_50:.3f} of {found.calls} calls"
        table.add_row(f"FLOW-BENCH recall @10 / @50, {name}", "≥ .97 / .99", measured)


def _latency(table: Table, data: Path) -> None:
    catalogue = activities(data)[:500]
    texts = [row.text.split(".")[0] for row in utterances(data)] * 2
    examples = tuple(RoutingExample(text=it.description, tde=it.name, chosen_at=NOW) for it in catalogue)
    for name, taught in (("no examples", ()), ("an example each", examples)):
        search = FusedCatalogueSearch()
        begun = time.perf_counter()
        search.prepare(catalogue, taught)
        table.add_row(f"preparing 500 TDEs, {name}", "", f"{time.perf_counter() - begun:.1f} s")
        wall, busy = [], []
        for text in texts:
            at, used = time.perf_counter(), time.process_time()
            search.search(text, catalogue, taught)
            wall.append((time.perf_counter() - at) * 1000)
            busy.append((time.process_time() - used) * 1000)
        measured = f"{statistics.median(wall):.1f} ms ({statistics.median(busy):.1f} ms of processor)"
        table.add_row(f"a decision, warm, 500 TDEs, {name}, p50", "≤ 10 ms", measured)


def _clinc150(table: Table, data: Path, *, quick: bool) -> None:
    asked = intents(data, per_intent=20, asked_per_intent=2) if quick else intents(data)
    search = FusedCatalogueSearch(most_examples=len(asked.examples))
    begun = time.perf_counter()
    search.prepare(asked.catalogue, asked.examples)
    table.add_row(f"preparing {len(asked.examples):,} examples", "", f"{time.perf_counter() - begun:.0f} s")
    given = answers(search, asked)
    model = "sentence model" if is_installed() else "WordLlama"
    points = [("threshold .50", at_threshold(given, 0.5)), ("no threshold", at_threshold(given, 0))]
    points += [(f"{wanted:.0%} right", at_recall(given, wanted)) for wanted in (0.90, 0.95)]
    for name, point in points:
        measured = (
            f"{point.right:.1%} right / {point.abstained:.1%} at {point.threshold:.2f} ({point.answered:.1%} answered)"
        )
        table.add_row(f"CLINC150 in scope / out of scope, {model}, {name}", "≥ 95 / 70 %", measured)


if __name__ == "__main__":
    main()
