"""The measures: what one turn of one peer is, and the figures that it gives."""

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peers.engine import Client, Done, Gateway, Records, refused_by_broker
from peers.roster import Peer
from peers.turn import Turn

LOOK_EVERY_S = 0.25
LONGEST_S = 45.0
"""How long a turn may take; what was done by then counts."""
HOPELESS_AFTER_S = 12.0
"""A turn that would need more than twice its time at the pace of so many seconds is ended then."""

Figures = dict[str, Any]


@dataclass
class Bench:
    """The engine that all turns share, and the commands of the peers that are installed."""

    client: Client
    rest: str
    records: Records
    scratch: Path
    commands: dict[str, list[str]] = field(default_factory=dict)

    def turn(self, peer: Peer, job_type: str, **orders: Any) -> Turn:
        log = self.scratch / f"{peer.name.replace(' ', '-')}.log"
        where = {"gateway": self.client.address, "rest": self.rest, **orders}
        return Turn(self.commands[peer.name], job_type=job_type, mode=peer.mode, log=log, **where)

    def done(self, job_type: str) -> Done:
        self.records.read()
        return self.records.jobs[job_type]


def type_of(measure: str, peer: Peer) -> str:
    """The job type, and process id, of one peer in one measure."""
    return f"{measure}_{peer.name}".replace(" ", "_")


def speaks(bench: Bench, peer: Peer) -> str | None:
    """None when the peer completes a job of this engine, else what came instead."""
    job_type = type_of("probe", peer)
    bench.client.deploy(job_type)
    try:
        with bench.turn(peer, job_type, slots=4) as turn:
            bench.client.create(job_type, 3)
            end = time.monotonic() + 12
            while time.monotonic() < end and turn.is_alive:
                if len(bench.done(job_type).completed) == 3:
                    return None
                time.sleep(LOOK_EVERY_S)
            what = "it completed no job of this engine" if turn.is_alive else "it ended by itself"
        lines = turn.log.read_text().strip().splitlines()
        return f"{what}: {lines[-1][:300]}" if lines else what
    except TimeoutError as error:
        return str(error)


def drain(bench: Bench, peer: Peer, *, jobs: int, slots: int, handler_ms: int = 0) -> Figures:
    """`jobs` instances wait; then a worker comes. Times are those of the engine's own records."""
    job_type = type_of(f"drain{slots}_{handler_ms}", peer)
    bench.client.deploy(job_type)
    left = bench.client.created[job_type] - len(bench.done(job_type).completed)
    bench.client.create(job_type, jobs - left)
    before = set(bench.done(job_type).completed)
    with bench.turn(peer, job_type, slots=slots, handler_ms=handler_ms) as turn:
        seconds, count = _until(jobs, lambda: len(bench.done(job_type).completed) - len(before), turn)
        cpu, memory = turn.cpu_s(), turn.resident_mb()
    stamps = sorted(at for key, at in bench.done(job_type).completed.items() if key not in before)
    figures: Figures = {"completed": count, "of": jobs, "watched_s": round(seconds, 2), "end": turn.end}
    if count == jobs:
        figures["left"] = bench.client.waiting(job_type)
    if len(stamps) > 1:
        # A first handler has begun one handler's time before its completion.
        span = (stamps[-1] - stamps[0] + handler_ms) / 1000
        # One that was stopped might have been asleep: its time ran until we looked last.
        span = max(span, seconds if count < jobs else 0.0)
        figures |= {"jobs_per_s": count / span, "cpu_ms_per_job": 1000 * cpu / count, "resident_mb": memory}
        later = stamps[len(stamps) // 5 :]
        figures["jobs_per_s_warm"] = (len(later) - 1) / max(0.001, (later[-1] - later[0]) / 1000)
    return figures


def _until(jobs: int, completed: Callable[[], int], turn: Turn) -> tuple[float, int]:
    started = time.monotonic()
    while True:
        count = completed()
        seconds = time.monotonic() - started
        hopeless = seconds > HOPELESS_AFTER_S and jobs * seconds / max(count, 1) > 2 * LONGEST_S
        if count >= jobs or seconds > LONGEST_S or hopeless or not turn.is_alive:
            return seconds, count
        time.sleep(LOOK_EVERY_S)


def latency(bench: Bench, peer: Peer, *, instances: int, warm_up: int = 50) -> Figures:
    """One instance after another, each to its result; the client that starts them is the same for all."""
    job_type = type_of("one", peer)
    bench.client.deploy(job_type)
    with bench.turn(peer, job_type, slots=32):
        for _ in range(warm_up):
            bench.client.run_one(job_type)
        taken = [1000 * bench.client.run_one(job_type) for _ in range(instances)]
    cuts = statistics.quantiles(taken, n=100)
    return {"p50_ms": cuts[49], "p99_ms": cuts[98], "worst_ms": max(taken), "instances": instances}


def memory(bench: Bench, peer: Peer, *, jobs: int) -> Figures:
    """`jobs` instances are made while a worker with 32 slots is connected, whose handlers take 10 s."""
    job_type = type_of("memory", peer)
    bench.client.deploy(job_type)
    with bench.turn(peer, job_type, slots=32, handler_ms=10_000, lease_s=600) as turn:
        empty = turn.resident_mb()
        seen: list[float] = []
        over = threading.Event()
        watching = threading.Thread(target=_watch, args=(turn, seen, over))
        watching.start()
        bench.client.create(job_type, jobs)
        time.sleep(3)
        over.set()
        watching.join()
        now = turn.resident_mb()
    return {"empty_mb": empty, "resident_mb": now, "peak_mb": max(seen), "waiting": jobs, "end": turn.end}


def _watch(turn: Turn, seen: list[float], over: threading.Event) -> None:
    while not over.wait(0.1):
        seen.append(turn.resident_mb())


@dataclass
class Faults:
    """Set-up of the last measure: a broker that turns commands away, and a gateway that goes away."""

    gateway: Gateway
    monitoring: str
    jobs: int
    lease_s: float = 30
    longest_s: float = 180


def faults(bench: Bench, peer: Peer, setup: Faults) -> Figures:
    """All instances are made while the worker works; the worker's gateway is restarted at two fifths of them."""
    job_type = type_of("faults", peer)
    bench.client.deploy(job_type)
    effects = bench.scratch / f"{job_type}.effects"
    refused_before = refused_by_broker(setup.monitoring)
    where = {"gateway": setup.gateway.address, "rest": setup.gateway.rest_address}
    creating = threading.Thread(target=bench.client.create, args=(job_type, setup.jobs))
    away = 0.0
    try:
        setup.gateway.start()
        with bench.turn(
            peer, job_type, slots=32, handler_ms=20, lease_s=setup.lease_s, effects=effects, **where
        ) as turn:
            started = time.monotonic()
            creating.start()
            count, progress_at = 0, started
            while count < setup.jobs and time.monotonic() < started + away + setup.longest_s:
                time.sleep(LOOK_EVERY_S)
                now = len(bench.done(job_type).completed)
                if now > count:
                    count, progress_at = now, time.monotonic()
                elif time.monotonic() > progress_at + 2 * setup.lease_s:
                    break
                if not away and count >= setup.jobs * 2 // 5:
                    away = _restart(setup.gateway)
                    progress_at = time.monotonic()
            seconds = time.monotonic() - started
            alive = turn.is_alive
    finally:
        setup.gateway.stop()
        if creating.ident is not None:
            creating.join()
    done = bench.done(job_type)
    keys = [int(line) for line in effects.read_text().split()]
    return {
        "completed": len(done.completed),
        "of": setup.jobs,
        "effects": len(keys),
        "duplicates": len(keys) - len(set(keys)),
        "lost": len(set(keys) - done.completed.keys()),
        "never_completed": setup.jobs - len(done.completed),
        "timed_out": done.timed_out,
        "failed": done.failed,
        "refused": refused_by_broker(setup.monitoring) - refused_before,
        "gateway_away_s": round(away, 1),
        "seconds": round(seconds, 1),
        "alive": alive,
        "end": turn.end,
    }


def _restart(gateway: Gateway) -> float:
    started = time.monotonic()
    gateway.stop()
    gateway.start()
    return time.monotonic() - started
