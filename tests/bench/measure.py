"""Measures what docs/benchmarks.md keeps (`make bench`): medians with their spread, on this machine now."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
HELP_RUNS = 21
BOOT_RUNS = 5
REST_S = 15
"""How long the kernel is left alone before its memory is read."""


def main() -> None:
    """Runs every measurement and prints the table."""
    table = Table("measure", "target", "median", "min … max", "runs", box=None)
    with tempfile.TemporaryDirectory(prefix="procos-bench-") as folder:
        scratch = Path(folder)
        _row(table, "procos --help", "≤ 0.25 s", _many(HELP_RUNS, lambda: _timed("--help", home=scratch / "h")), "s")
        engine, boot, memory = _boots(scratch / "home")
        _row(table, "engine alone, second start to ready", "", engine, "s")
        _row(table, "procos boot, second, to ready", "", boot, "s")
        extra = [one - other for one, other in zip(boot, engine, strict=True)]
        _row(table, "boot over engine, run by run", "≤ 2 s", extra, "s")
        _row(table, "kernel at rest, resident", "≤ 120 MB", memory, "MB")
        _row(table, "pip install of core and engine", "≤ 60 s", [_install(scratch / "venv")], "s")
        demo = scratch / "demo"
        _procos("demo", home=demo)
        _row(table, "procos demo, second run", "< 25 s", _many(3, lambda: _timed("demo", home=demo)), "s")
    Console().print(table)
    Console().print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
    )


def _row(table: Table, name: str, target: str, values: list[float], unit: str) -> None:
    median = statistics.median(values)
    spread = f"{min(values):.2f} … {max(values):.2f}" if len(values) > 1 else ""
    table.add_row(name, target, f"{median:.2f} {unit}", spread, str(len(values)))


def _many(runs: int, measure: Callable[[], float]) -> list[float]:
    measure()  # the first one fills caches
    return [measure() for _ in range(runs)]


def _procos(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PROCOS_HOME": str(home)}
    command = [sys.executable, "-m", "procos", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=600)


def _timed(*arguments: str, home: Path) -> float:
    started = time.perf_counter()
    _procos(*arguments, home=home)
    return time.perf_counter() - started


def _boots(home: Path) -> tuple[list[float], list[float], list[float]]:
    """The engine alone and the whole kernel, in turn, in one home whose data is there already."""
    _procos("boot", "--detach", home=home)
    _procos("down", home=home)
    engine, boot, memory = [], [], []
    for _ in range(BOOT_RUNS):
        engine.append(_timed("engine", "start", home=home))
        _procos("engine", "stop", home=home)
        boot.append(_timed("boot", "--detach", home=home))
        time.sleep(REST_S)
        kernel = json.loads(_procos("status", "--json", home=home).stdout)["pid"]
        memory.append(psutil.Process(kernel).memory_info().rss / 1e6)
        _procos("down", home=home)
    return engine, boot, memory


def _install(venv: Path) -> float:
    """A new virtual environment with the locked core and engine extra; downloads count as this network has them."""
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    started = time.perf_counter()
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / ".ci/constraints/demo.txt")], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", str(ROOT)], check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
