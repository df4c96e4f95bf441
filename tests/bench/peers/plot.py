"""Draws peers.json as bars; runs in the bench's own environment with matplotlib: plot.py DATA PICTURE."""

import json
import statistics
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "procos", "font.size": 9})

from matplotlib import pyplot as plt  # noqa: E402 - the settings come first

COLOURS = {"procos": "#d1495b", "pyzeebe": "#3d6f8e", "java": "#8a8d91", "node": "#6a994e", "camunda": "#e9a23b"}
PANELS = (
    ("drain-32", "jobs_per_s", "drain, 32 slots: jobs/s"),
    ("drain-256", "jobs_per_s", "drain, 256 slots: jobs/s"),
    ("sleep-100", "jobs_per_s", "handlers of 100 ms, 32 slots: jobs/s"),
    ("latency", "p50_ms", "one instance with result, p50: ms (less is better)"),
    ("drain-32", "cpu_ms_per_job", "client CPU: s per 1,000 jobs (less is better)"),
    ("memory", "resident_mb", "resident, all jobs waiting: MB (less is better)"),
)


def main(data: str, picture: str) -> None:
    results = json.loads(Path(data).read_text())
    panels = [panel for panel in PANELS if panel[0] in results["measures"]]
    if not panels:
        return
    rows = (len(panels) + 1) // 2
    figure, axes = plt.subplots(rows, 2, figsize=(10, 2.7 * rows), squeeze=False, layout="constrained")
    for place in axes.flat[len(panels) :]:
        place.set_visible(False)
    for place, (measure, key, title) in zip(axes.flat, panels, strict=False):
        draw(place, results["measures"][measure], key, title, results["groups"])
    figure.savefig(picture, metadata={"Date": None})


def draw(place, rounds, key, title, groups):
    values = {peer: [row[key] for row in it if key in row] for peer, it in rounds.items()}
    values = {peer: it for peer, it in values.items() if it}
    for line, (peer, it) in enumerate(values.items()):
        middle = statistics.median(it)
        place.barh(line, middle, color=COLOURS[groups[peer]])
        place.plot([min(it), max(it)], [line, line], color="black", linewidth=1)
        place.annotate(f"{middle:.3g}", (max(it), line), xytext=(4, 0), textcoords="offset points", va="center")
    place.set_yticks(range(len(values)), values)
    place.invert_yaxis()
    place.margins(x=0.12)
    place.set_title(title, loc="left", fontsize=9)
    place.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main(*sys.argv[1:])
