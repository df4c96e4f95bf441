"""Two thousand beats, with the engine's clock moved forward: nothing grows."""

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from procos.adapters.embedded.broker import EmbeddedEngine
from procos.adapters.embedded.options import EngineOptions
from tests.engine.conftest import Procos, procos_in
from tests.engine.records import records_in

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

BEATS = 2_000
STEP_MS = 16_000
"""More than the heartbeat ever rests."""
A_LOT_MB = 20


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Procos]:
    command = procos_in(tmp_path / "home")
    engine = EmbeddedEngine(EngineOptions(home=tmp_path / "home", cache=command.settings.cache, clock_controlled=True))
    engine.start(started_by="test")
    try:
        command("boot", "--detach", timeout=300)
        yield command
    finally:
        command("down", check=False)
        engine.stop()


def test_two_thousand_beats_leave_no_trace(kernel: Procos) -> None:
    engine = json.loads(kernel("engine", "status", "--json").stdout)
    state_file = kernel.home / "state" / "kernel.json"
    process = psutil.Process(json.loads(state_file.read_text())["pid"])
    resident: list[float] = []
    beats, give_up_at = 0, time.monotonic() + 800
    while beats < BEATS:
        assert time.monotonic() < give_up_at, f"only {beats} beats"
        _move_clock(engine["monitoring_address"], STEP_MS)
        beats = json.loads(state_file.read_text())["heartbeat"]["beats"]
        if beats >= 300 * (len(resident) + 1):
            resident.append(process.memory_info().rss / 1e6)
    runs = [
        record
        for record in records_in(kernel.home)
        if record.value_type == "PROCESS_INSTANCE"
        and record.value["bpmnProcessId"] == "procos-pdo"
        and record.value["bpmnElementType"] == "PROCESS"
    ]
    begun = [record.key for record in runs if record.intent == "ELEMENT_ACTIVATED"]
    done = [record.key for record in runs if record.intent == "ELEMENT_COMPLETED"]
    assert len(begun) >= 2
    assert begun[:-1] == done
    assert resident[-1] - resident[1] < A_LOT_MB
    assert not [record for record in records_in(kernel.home) if record.value_type == "INCIDENT"]


def _move_clock(address: str, milliseconds: int) -> None:
    request = urllib.request.Request(
        f"http://{address}/actuator/clock/add",
        data=json.dumps({"offsetMilli": milliseconds}).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
