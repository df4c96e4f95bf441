"""Measures the heartbeat (`make bench-heartbeat`): latency of one task, a burst, and the cost of rest.

One kernel with an engine of its own; what happened when is read from the engine's own records.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import bare_heartbeat
import psutil
from rich.console import Console
from rich.table import Table

from procos.errors import EngineOverloaded
from procos.settings import Settings
from procos.wiring.engines import EngineSession, connect

ROOT = Path(__file__).parents[2]
CREATING_AT_ONCE = 32
UNCLAIMED = ROOT / "tests" / "bench" / "unclaimed.bpmn"
CLAIMED = ROOT / "tests" / "bench" / "claimed.bpmn"


def main() -> None:
    """Runs every measurement and prints the table."""
    parser = argparse.ArgumentParser(description="Measures the heartbeat on an engine of its own.")
    parser.add_argument("--tasks", type=int, default=200, help="single tasks, one after the other")
    parser.add_argument("--burst", type=int, default=1_000, help="tasks at once")
    parser.add_argument("--rest", type=float, default=120, help="seconds of rest to look at")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="procos-bench-") as folder:
        home = Path(folder) / "home"
        (Path(folder) / "files").mkdir()
        environment = {
            **os.environ, "PROCOS_HOME": str(home), "PROCOS_TDE__FILE__ROOTS": json.dumps([f"{folder}/files"]),
        }  # fmt: skip
        procos = [sys.executable, "-m", "procos"]
        for command in (["boot", "--detach"], ["deploy", str(UNCLAIMED)]):
            subprocess.run([*procos, *command], env=environment, check=True, timeout=300, capture_output=True)
        try:
            asyncio.run(_measure(home, given))
        finally:
            subprocess.run([*procos, "down"], env=environment, check=False, timeout=120, capture_output=True)


async def _measure(home: Path, given: argparse.Namespace) -> None:
    table = Table("measure", "target", "measured", box=None)
    log = Log(home / "engine" / "records")
    async with connect(Settings(home=home)) as session:
        await _create(session, "bench-unclaimed", 20)
        await asyncio.sleep(5)
        latencies = await _singly(session, log, given.tasks)
        cuts = statistics.quantiles(latencies, n=100)
        table.add_row(
            "one task, from active to TDE started, p50 / p95", "≤ 55 / 85 ms", f"{cuts[49]:.0f} / {cuts[94]:.0f} ms"
        )
        rate, per_task, lost = await _burst(session, log, "bench-unclaimed", given.burst)
        limit, per_bare = await _limit(session, log, given.burst)
        table.add_row(
            f"burst of {given.burst}, to delivered results", "≥ 100 tasks/s, or the limit", f"{rate:.1f} tasks/s"
        )
        table.add_row("the engine's own limit for the same elements", "", f"{limit:.1f} tasks/s")
        table.add_row("records of one task; of the same elements", "", f"{per_task:.0f}; {per_bare:.0f}")
        table.add_row("lost", "0", str(lost))
        await asyncio.sleep(60)  # until the heartbeat rests
        kernel = psutil.Process(json.loads((home / "state" / "kernel.json").read_text())["pid"])
        log.read_all()
        used = sum(kernel.cpu_times()[:2])
        started = time.monotonic()
        await asyncio.sleep(given.rest)
        seconds = time.monotonic() - started
        records = len(log.read_all())
        table.add_row("records at rest", "≤ 10 a second", f"{records / seconds:.1f} a second")
        share = (sum(kernel.cpu_times()[:2]) - used) / seconds
        table.add_row("kernel at rest", "≤ 1 % of a core", f"{share:.2%}, {kernel.memory_info().rss / 1e6:.0f} MB")
    Console(width=140).print(table)


async def _limit(session: EngineSession, log: "Log", count: int) -> tuple[float, float]:
    """Tasks a second of the same elements with workers that know every answer, and their records for one."""
    await bare_heartbeat.deploy(session, CLAIMED.read_text(encoding="utf-8"))
    working = asyncio.create_task(bare_heartbeat.work(session))
    try:
        rate, records, lost = await _burst(session, log, bare_heartbeat.PROCESS, count)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert not lost, f"{lost} tasks of the bare burst never ended"
    return rate, records


async def _create(session: EngineSession, process_id: str, count: int) -> None:
    """Starts instances as fast as the engine takes them."""
    left = iter(range(count))

    async def some() -> None:
        for number in left:
            while True:
                try:
                    await session.engine.create_instance(
                        process_id, variables={"operation": "exists", "path": f"{number}.txt"}
                    )
                except EngineOverloaded:
                    await asyncio.sleep(0.02)
                else:
                    break

    await asyncio.gather(*(some() for _ in range(CREATING_AT_ONCE)))


async def _singly(session: EngineSession, log: "Log", count: int) -> list[float]:
    """Milliseconds from the creation of the unclaimed job to the activation of the TDE's."""
    log.read_all()
    for number in range(count):
        await session.engine.create_instance_with_result(
            "bench-unclaimed", variables={"operation": "exists", "path": f"{number}.txt"}, timeout=timedelta(seconds=60)
        )
        await asyncio.sleep(0.05)
    await asyncio.sleep(1)
    latencies, active_at = [], 0
    for record in log.read_all():
        match record["valueType"], record["intent"], record["value"].get("type"):
            case "JOB", "CREATED", "procos.task":
                active_at = record["timestamp"]
            case "JOB_BATCH", "ACTIVATED", "tde.file":
                latencies.append(record["timestamp"] - active_at)
    return latencies


async def _burst(session: EngineSession, log: "Log", process_id: str, count: int) -> tuple[float, float, int]:
    """Tasks a second from the first instance to the last result, records for a task, and how many never ended."""
    log.read_all()
    started = time.monotonic()
    await _create(session, process_id, count)
    seen: Counter[str] = Counter()
    records = 0
    first = last = 0
    give_up_at = time.monotonic() + 300
    while seen["ended"] < count and time.monotonic() < give_up_at:
        await asyncio.sleep(0.5)
        for record in log.read_all():
            records += 1
            value = record["value"]
            if value.get("bpmnElementType") == "PROCESS" and value.get("bpmnProcessId") == process_id:
                if record["intent"] == "ELEMENT_COMPLETED":
                    seen["ended"] += 1
                    last = record["timestamp"]
                first = first or record["timestamp"]
    seconds = (last - first) / 1000 if last else time.monotonic() - started
    return seen["ended"] / seconds, records / count, count - seen["ended"]


class Log:
    """The record log from now on."""

    def __init__(self, folder: Path) -> None:
        self._current = folder / "records.jsonl"
        self._file = self._current.open("rb")
        self._file.seek(0, os.SEEK_END)
        self._rest = b""

    def read_all(self) -> list[dict[str, Any]]:
        """The records since the last call."""
        return list(self._records())

    def _records(self) -> Iterator[dict[str, Any]]:
        while True:
            rolled = self._current.exists() and self._current.stat().st_ino != os.fstat(self._file.fileno()).st_ino
            *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
            for line in lines:
                if line.startswith(b"{"):
                    yield json.loads(line)
            if not rolled:
                return
            self._file.close()
            self._file = self._current.open("rb")


if __name__ == "__main__":
    main()
