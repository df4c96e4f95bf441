"""The results: as tables in Markdown, as JSON, and as a picture."""

import json
import math
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peers.measures import Figures
from peers.roster import MATPLOTLIB, OURS, PEERS, NotInstalled, virtual_environment

Rounds = dict[str, list[Figures]]
"""The figures of each round, by peer."""

DRAINS = {"drain-32": "drain, 32 slots", "drain-256": "drain, 256 slots", "sleep-100": "handlers of 100 ms, 32 slots"}
COLUMNS: dict[str, tuple[tuple[str, str, str], ...]] = {
    **dict.fromkeys(
        DRAINS,
        (
            ("jobs/s", "jobs_per_s", "{:.0f}"),
            ("jobs/s, last four fifths", "jobs_per_s_warm", "{:.0f}"),
            ("client CPU, s per 1,000 jobs", "cpu_ms_per_job", "{:.2f}"),
            ("resident at the end, MB", "resident_mb", "{:.0f}"),
        ),
    ),
    "latency": (("p50, ms", "p50_ms", "{:.1f}"), ("p99, ms", "p99_ms", "{:.1f}")),
    "memory": (
        ("no jobs yet, MB", "empty_mb", "{:.0f}"),
        ("with all waiting, MB", "resident_mb", "{:.0f}"),
        ("peak, MB", "peak_mb", "{:.0f}"),
    ),
    "faults": tuple(
        (name.replace("_", " "), name, "{:.0f}")
        for name in ("effects", "duplicates", "lost", "never_completed", "timed_out", "refused", "gateway_away_s")
    ),
}


def markdown(results: dict[str, Any]) -> str:
    """All tables, for docs/benchmarks.md."""
    parts = [f"Machine: {results['machine']}. Date: {results['date']}. Command: `{results['command']}`.\n"]
    for measure, rounds in results["measures"].items():
        parts.append(f"### {results['titles'][measure]}\n\n{_table(measure, rounds)}")
    if results["absent"]:
        parts.append("### Not measured\n\n" + "".join(f"- {name}: {why}\n" for name, why in results["absent"].items()))
    return "\n".join(parts)


def _table(measure: str, rounds: Rounds) -> str:
    columns = COLUMNS[measure]
    lines = ["| peer | " + " | ".join(title for title, _, _ in columns) + " | rounds | remarks |"]
    lines.append("|---" * (len(columns) + 3) + "|")
    for peer, figures in rounds.items():
        cells = [_cell([it[key] for it in figures if key in it], shown) for _, key, shown in columns]
        lines.append(f"| {peer} | {' | '.join(cells)} | {len(figures)} | {_remarks(figures)} |")
    return "\n".join(lines) + "\n"


def _cell(values: list[float], shown: str) -> str:
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return "-"
    median = shown.format(statistics.median(known))
    return median if len(known) == 1 else f"{median} ({shown.format(min(known))} … {shown.format(max(known))})"


def _remarks(figures: list[Figures]) -> str:
    found = []
    short = [it for it in figures if it.get("completed", 0) < it.get("of", 0)]
    if short:
        found.append(f"stopped at {min(it['completed'] for it in short)} of {short[0]['of']}")
    at_once = max((it["end"].get("most_at_once", 0) for it in figures if "end" in it), default=0)
    if at_once:
        found.append(f"{at_once} handlers at once")
    found += sorted({it["end"]["odd"] for it in figures if "odd" in it.get("end", {})})
    found += sorted({it["fault"] for it in figures if "fault" in it})
    return "; ".join(found)


def best(measure: str, rounds: Rounds, key: str, choose: Callable[..., float]) -> str | None:
    """How ours compares with the best peer, in words."""
    medians = {
        peer: statistics.median(known)
        for peer, it in rounds.items()
        if (known := [row[key] for row in it if key in row])
    }
    ours = medians.pop(OURS, None)
    if ours is None or not medians:
        return None
    value = choose(medians.values())
    name = next(peer for peer, it in medians.items() if it == value)
    return f"{measure}: {key} {ours:.4g}, best peer {name} {value:.4g}, ratio {ours / value:.3f}"


def verdicts(results: dict[str, Any]) -> list[str]:
    """Our figures next to the best peer's."""
    found = []
    for measure, rounds in results["measures"].items():
        keys: list[tuple[str, Callable[..., float]]] = {
            "latency": [("p50_ms", min), ("p99_ms", min)],
            "memory": [("resident_mb", min)],
            "faults": [("duplicates", min), ("never_completed", min)],
        }.get(measure, [("jobs_per_s", max), ("cpu_ms_per_job", min)])
        if measure != "faults":
            found += [line for key, choose in keys if (line := best(measure, rounds, key, choose))]
    return found


def write(results: dict[str, Any], folder: Path, cache: Path) -> list[Path]:
    """peers.json, peers.md and, where matplotlib can be had, peers.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    data, text, picture = (folder / f"peers.{end}" for end in ("json", "md", "svg"))
    data.write_text(json.dumps(results, indent=1) + "\n")
    text.write_text(markdown(results))
    try:
        python = virtual_environment(cache / "plot", MATPLOTLIB)
        subprocess.run([python, Path(__file__).with_name("plot.py"), data, picture], check=True, timeout=120)
    except (NotInstalled, subprocess.SubprocessError) as error:
        print(f"no picture: {error}")
        return [data, text]
    return [data, text, picture]


def groups() -> dict[str, str]:
    """The group of each peer, for its colour."""
    return {peer.name: peer.group for peer in PEERS}
