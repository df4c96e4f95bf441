"""Measures our worker against its peers (`make bench-peers`): one engine, one run, peers in turns."""

import argparse
import datetime as dt
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from peers import measures, report
from peers.engine import Client, Gateway, Records
from peers.roster import OURS, PEERS, NotInstalled, Peer

from procos.adapters.embedded.broker import EmbeddedEngine
from procos.adapters.embedded.folders import EngineFolders
from procos.adapters.embedded.options import EngineOptions
from procos.adapters.embedded.running import read_facts
from procos.settings import Settings
from procos.wiring.engines import embedded_engine

HEAP_MB = 512
START_TIMEOUT = dt.timedelta(minutes=8)
ROUND_OF_SLOTS = 32
FEW_REQUESTS = {
    "ZEEBE_BROKER_FLOWCONTROL_WRITE_ENABLED": "true",
    "ZEEBE_BROKER_FLOWCONTROL_WRITE_LIMIT": "4000",
    "ZEEBE_BROKER_BACKPRESSURE_ALGORITHM": "fixed",
    "ZEEBE_BROKER_BACKPRESSURE_FIXED_LIMIT": "12",
}
"""Backpressure for the measure of faults: few commands in flight, and a limit on records written in a second.

The first lets completions of jobs through whatever happens; only the second turns them away, too. One instance writes
about 25 records, so that the second sets in above 160 instances a second.
"""

DRAINING = (OURS, "pyzeebe poll", "pyzeebe tuned", "java poll", "java prefetch", "node poll", "node tuned")
TAKING_PART = {
    "drain-32": DRAINING,
    "drain-256": DRAINING,
    "sleep-100": DRAINING,
    "latency": (
        OURS,
        "procos poll",
        "pyzeebe stream",
        "pyzeebe poll",
        "java stream",
        "java poll",
        "node stream",
        "node tuned",
    ),
    "memory": (
        OURS,
        "procos poll",
        "pyzeebe poll",
        "pyzeebe stream",
        "java poll",
        "java stream",
        "node poll",
        "node stream",
    ),
    "faults": (OURS, "pyzeebe tuned", "pyzeebe stream", "java stream", "node tuned"),
}
WARM_UP_JOBS = 3_000
CAMUNDA = "camunda python"
"""Takes part in everything, if it can speak with the engine at all."""


def main() -> None:
    options = _options()
    # So that whatever ends us early, engine and peers end too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [peer for peer in PEERS if not options.peers or _is_named(peer, options.peers)]
    cache = Settings().cache / "bench-peers"
    results: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{platform.system()}, Zeebe 8.6.0 with {HEAP_MB} MB of heap on the same machine",
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "command": " ".join(["make bench-peers", *sys.argv[1:]]),
        "titles": _titles(options),
        "measures": {},
        "absent": {},
        "groups": report.groups(),
    }
    commands = _install(chosen, cache, results["absent"])
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="procos-peers-") as folder:
        scratch = options.keep or Path(folder)
        scratch.mkdir(parents=True, exist_ok=True)
        if set(options.only) - {"faults"}:
            _measure_on_one_engine(options, chosen, commands, scratch, results)
        if "faults" in options.only:
            _measure_faults(options, chosen, commands, scratch, results)
    results["minutes"] = round((time.monotonic() - started) / 60, 1)
    print("\n" + report.markdown(results))
    print("\n".join(report.verdicts(results)))
    print(f"{results['minutes']} minutes; written:", *report.write(results, options.out, cache))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    names = list(TAKING_PART)
    listed = partial(str.split, sep=",")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", type=listed, default=names, help=f"measures, by comma: {','.join(names)}")
    parser.add_argument("--peers", type=listed, default=[], help="names or groups, by comma, e.g. procos,java")
    parser.add_argument("--jobs", type=int, default=5_000, help="waiting jobs to drain, and jobs among the faults")
    parser.add_argument("--instances", type=int, default=300, help="instances with result, a round")
    parser.add_argument("--waiting", type=int, default=10_000, help="waiting jobs for the resident memory")
    parser.add_argument("--out", type=Path, default=Path("build/bench-peers"), help="folder for JSON, tables, picture")
    parser.add_argument("--keep", type=Path, help="folder for logs and effects, else a temporary one")
    options = parser.parse_args()
    wrong = set(options.only) - set(names)
    if wrong:
        parser.error(f"no such measure: {', '.join(sorted(wrong))}; there are {', '.join(names)}")
    return options


def _titles(options: argparse.Namespace) -> dict[str, str]:
    return {
        "drain-32": f"Drain of {options.jobs:,} waiting jobs, 32 slots",
        "drain-256": f"Drain of {options.jobs:,} waiting jobs, 256 slots",
        "sleep-100": f"Handlers of 100 ms, 32 slots, {_full_rounds(options.jobs):,} jobs (320 jobs/s are possible)",
        "latency": f"One instance with result, {options.instances} in a row and round",
        "memory": f"Resident memory with {options.waiting:,} waiting jobs, handlers of 10 s in 32 slots",
        "faults": f"{options.jobs:,} jobs under backpressure, the gateway restarted in between",
    }


def _full_rounds(jobs: int) -> int:
    """About two fifths of `jobs`, so that 32 slots are full to the last."""
    return -(-jobs * 2 // 5 // ROUND_OF_SLOTS) * ROUND_OF_SLOTS


def _is_named(peer: Peer, names: list[str]) -> bool:
    return peer.name in names or peer.group in names


def _install(chosen: list[Peer], cache: Path, absent: dict[str, str]) -> dict[str, list[str]]:
    commands = {}
    for peer in chosen:
        try:
            commands[peer.name] = peer.command(cache)
        except NotInstalled as error:
            absent[peer.name] = str(error)
    return commands


def _measure_on_one_engine(
    options: argparse.Namespace,
    chosen: list[Peer],
    commands: dict[str, list[str]],
    scratch: Path,
    results: dict[str, Any],
) -> None:
    engine = embedded_engine(
        Settings(home=scratch / "home", engine_heap_mb=HEAP_MB, engine_start_timeout=START_TIMEOUT)
    )
    with _running(engine, scratch, commands) as bench:
        present = _who_speaks(bench, chosen, results["absent"])
        # A young JVM is slow, and would be so for whoever comes first: these figures count for nobody.
        measures.drain(bench, present[-1], jobs=min(options.jobs, WARM_UP_JOBS), slots=256)
        measure: dict[str, Callable[[Peer], measures.Figures]] = {
            "drain-32": lambda peer: measures.drain(bench, peer, jobs=options.jobs, slots=32),
            "drain-256": lambda peer: measures.drain(bench, peer, jobs=options.jobs, slots=256),
            "sleep-100": lambda peer: measures.drain(
                bench, peer, jobs=_full_rounds(options.jobs), slots=32, handler_ms=100
            ),
            "latency": lambda peer: measures.latency(bench, peer, instances=options.instances),
            "memory": lambda peer: measures.memory(bench, peer, jobs=options.waiting),
        }
        for name, take in measure.items():
            if name in options.only:
                rounds = 1 if name == "memory" else options.rounds
                results["measures"][name] = _in_turns(name, take, present, rounds)


def _measure_faults(
    options: argparse.Namespace,
    chosen: list[Peer],
    commands: dict[str, list[str]],
    scratch: Path,
    results: dict[str, Any],
) -> None:
    settings = Settings()
    home = scratch / "faults"
    engine = EmbeddedEngine(
        EngineOptions(
            home=home, cache=settings.cache, heap_mb=HEAP_MB, start_timeout=START_TIMEOUT, exporters_env=FEW_REQUESTS
        )
    )
    with _running(engine, scratch, commands) as bench:
        running = engine.status()
        facts = read_facts(EngineFolders(home))
        gateway = Gateway(engine.install(), f"127.0.0.1:{facts.ports.internal}", scratch)
        setup = measures.Faults(gateway, running.monitoring_address, options.jobs)
        present = _who_speaks(bench, chosen, results["absent"])
        take = partial(measures.faults, bench, setup=setup)
        results["measures"]["faults"] = _in_turns("faults", take, present, 1)


@contextmanager
def _running(engine: EmbeddedEngine, scratch: Path, commands: dict[str, list[str]]) -> Iterator[measures.Bench]:
    running = engine.start(started_by="bench-peers")
    try:
        records = Records(engine.record_log_path)
        yield measures.Bench(Client(running.address), running.rest_address, records, scratch, commands)
    finally:
        engine.stop()


def _who_speaks(bench: measures.Bench, chosen: list[Peer], absent: dict[str, str]) -> list[Peer]:
    present = []
    for peer in chosen:
        if peer.name in absent:
            continue
        problem = measures.speaks(bench, peer)
        if problem is None:
            present.append(peer)
        else:
            absent[peer.name] = f"{problem} ({peer.says})"
            print(f"{peer.name}: {problem}", flush=True)
    return present


def _in_turns(
    name: str, take: Callable[[Peer], measures.Figures], present: list[Peer], rounds: int
) -> dict[str, list[measures.Figures]]:
    taking_part = [peer for peer in present if peer.name in (*TAKING_PART[name], CAMUNDA)]
    found: dict[str, list[measures.Figures]] = {peer.name: [] for peer in taking_part}
    for number in range(rounds):
        # Each round begins with another peer, so that none always works on the freshest or the fullest engine.
        shift = number % max(1, len(taking_part))
        for peer in taking_part[shift:] + taking_part[:shift]:
            started = time.monotonic()
            try:
                figures = take(peer)
            except (TimeoutError, grpc.RpcError) as error:
                figures = {"fault": f"{type(error).__name__}: {error}".splitlines()[0]}
            found[peer.name].append(figures)
            shown = {key: round(it, 1) for key, it in figures.items() if isinstance(it, int | float)}
            print(f"{name} {number + 1}/{rounds} {peer.name}: {shown} ({time.monotonic() - started:.0f} s)", flush=True)
    return found


if __name__ == "__main__":
    main()
