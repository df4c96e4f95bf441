"""Two thousand beats, with the engine's clock moved forward: nothing grows."""

import contextlib
import json
import os
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from procos.adapters.embedded.broker import EmbeddedEngine
from procos.adapters.embedded.options import EngineOptions
from procos.adapters.record_log import read_record
from procos.model.record import Record
from tests.engine.conftest import Procos, procos_in

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1_600), pytest.mark.xdist_group("heartbeat")]

BEATS = 2_000
STEP_MS = 16_000
"""More than the heartbeat ever rests."""
WARM = 500
A_LOT_MB = 20


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Procos]:
    """A kernel on an engine whose clock can be moved."""
    command = procos_in(tmp_path / "home")
    engine = EmbeddedEngine(EngineOptions(home=tmp_path / "home", cache=command.settings.cache, clock_controlled=True))
    engine.start(started_by="test")
    try:
        command("boot", "--detach", timeout=300)
        yield command
    finally:
        command("down", check=False)
        engine.stop()


class Tail:
    """The engine's records from the first on, also over files that are full."""

    def __init__(self, folder: Path) -> None:
        self._current = folder / "records.jsonl"
        self._file = self._current.open("rb")
        self._rest = b""

    def read(self) -> Iterator[Record]:
        """What is new."""
        rolled = self._current.exists() and self._current.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        for line in lines:
            # Reading all of them would take longer than the engine does.
            is_step = b'"procos-pdo"' in line and (b'"ELEMENT_ACTIVATED"' in line or b'"ELEMENT_COMPLETED"' in line)
            if is_step or b'"INCIDENT"' in line:
                record = read_record(line)
                if record is not None:
                    yield record
        if rolled:
            self._file.close()
            self._file = self._current.open("rb")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def test_two_thousand_beats_leave_no_trace(kernel: Procos) -> None:
    engine = json.loads(kernel("engine", "status", "--json").stdout)
    state = kernel.state()
    assert state is not None
    process = psutil.Process(state["pid"])
    with contextlib.closing(Tail(kernel.home / "engine" / "records")) as tail:
        seen, resident = _beats(tail, engine["monitoring_address"], process)
    begun, done = (seen[intent, "PROCESS", "procos-pdo"] for intent in ("ELEMENT_ACTIVATED", "ELEMENT_COMPLETED"))
    assert begun >= 2
    assert begun - done == 1
    assert resident[max(resident)] - resident[1] < A_LOT_MB


def _beats(tail: Tail, clock: str, process: psutil.Process) -> tuple[Counter[tuple[str, str, str]], dict[int, float]]:
    """Lets it beat: what happened to which element how often, and the kernel's memory in MB after each `WARM` beats."""
    seen: Counter[tuple[str, str, str]] = Counter()
    resident: dict[int, float] = {}
    give_up_at = time.monotonic() + 1_500
    while (beats := seen["ELEMENT_COMPLETED", "SERVICE_TASK", "scan"]) < BEATS:
        assert time.monotonic() < give_up_at, f"only {beats} beats: {seen}"
        for record in tail.read():
            assert record.value_type != "INCIDENT", record.value
            if record.value_type == "PROCESS_INSTANCE" and record.record_type == "EVENT":
                kind, element = record.value["bpmnElementType"], record.value["elementId"]
                seen[record.intent, kind, element] += 1
                if (record.intent, kind) == ("ELEMENT_ACTIVATED", "EVENT_BASED_GATEWAY"):
                    _move_clock(clock, STEP_MS)
        resident.setdefault(beats // WARM, process.memory_info().rss / 1e6)
        time.sleep(0.005)
    return seen, resident


def _move_clock(address: str, milliseconds: int) -> None:
    request = urllib.request.Request(
        f"http://{address}/actuator/clock/add",
        data=json.dumps({"offsetMilli": milliseconds}).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
