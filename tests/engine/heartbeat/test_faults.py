"""The heartbeat goes on whatever is killed, and starts nothing twice."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from procos.wiring.engines import EngineSession, connect
from tests.engine.conftest import Procos, procos_in
from tests.engine.heartbeat.faulty_kernel import DEFECT
from tests.engine.heartbeat.watching import (
    create,
    deploy,
    ended,
    ends_of,
    eventually,
    files_of,
    last_position,
    named_task,
    report_of,
    started,
)
from tests.engine.records import records_in

pytestmark = [pytest.mark.engine, pytest.mark.anyio, pytest.mark.xdist_group("heartbeat")]

WORKERS = {
    "procos.pdo.scan",
    "procos.pdo.succeed",
    "procos.pdo.revive",
    "procos.task.route",
    "procos.task.keep",
    "procos.task.deliver",
}


async def test_the_watchdog_revives_a_heartbeat_that_was_cancelled(kernel: Procos, own: EngineSession) -> None:
    pdo = started(kernel, "procos-pdo")[-1]
    await own.engine.cancel_instance(pdo.key)
    revived = await asyncio.to_thread(
        eventually, lambda: [it for it in started(kernel, "procos-pdo") if it.position > pdo.position], longest=40
    )
    assert len(revived) == 1


async def test_kernels_that_are_killed_lose_nothing_and_start_nothing_twice(
    kernel: Procos, own: EngineSession, tmp_path: Path
) -> None:
    deploy(kernel, tmp_path, named_task("hb-kill", "Is it there?", {"tde": "file"}))
    before = last_position(kernel)
    keys = []
    for round_number in range(3):
        keys += [
            await create(own, "hb-kill", operation="exists", path=f"{round_number}-{number}.txt")
            for number in range(20)
        ]
        await asyncio.sleep(0.15 * round_number)
        state = kernel.state()
        assert state is not None
        await asyncio.to_thread(_kill, kernel, state["pid"])
    await asyncio.to_thread(eventually, lambda: ends_of(kernel, keys) == {"ELEMENT_COMPLETED"}, longest=120)
    calls = Counter(record.value["parentProcessInstanceKey"] for record in started(kernel, "tde-file", before))
    assert sum(calls.values()) == len(keys)
    assert set(calls.values()) == {1}


def _kill(kernel: Procos, pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    kernel("boot", "--detach", timeout=300)


async def test_a_second_kernel_takes_its_part_and_nothing_is_started_twice(
    kernel: Procos, own: EngineSession, tmp_path: Path
) -> None:
    other = procos_in(
        tmp_path / "other",
        PROCOS_ADDRESS=own.engine.address,
        PROCOS_TDE__FILE__ROOTS=json.dumps([str(files_of(kernel))]),
    )
    deploy(kernel, tmp_path, named_task("hb-two", "Is it there?", {"tde": "file"}))
    before = last_position(kernel)
    other("boot", "--detach", timeout=300)
    try:
        keys = [await create(own, "hb-two", operation="exists", path=f"{number}.txt") for number in range(40)]
        await asyncio.to_thread(eventually, lambda: ends_of(kernel, keys) == {"ELEMENT_COMPLETED"}, longest=120)
        assert len(started(kernel, "procos-task-run", before)) == len(keys)
        assert len(started(kernel, "procos-pdo", before)) == 0
        both = [report_of(kernel)["handed_over"], report_of(other)["handed_over"]]
        assert min(both) > 0
    finally:
        other("down", check=False)


async def test_the_heartbeat_goes_on_when_its_engine_was_killed(
    kernel: Procos, own: EngineSession, tmp_path: Path
) -> None:
    deploy(kernel, tmp_path, named_task("hb-engine", "Is it there?", {"tde": "file"}))
    engine = json.loads(kernel("engine", "status", "--json").stdout)
    os.kill(engine["pid"], signal.SIGKILL)
    state = await asyncio.to_thread(
        eventually, lambda: (state := kernel.state()) and state["phase"] == "reconnecting" and state
    )
    assert state["problems"]
    await asyncio.to_thread(eventually, lambda: (kernel.state() or {}).get("phase") == "ready", longest=120)
    key = await create(own, "hb-engine", operation="exists", path="a.txt")
    await asyncio.to_thread(eventually, lambda: ended(kernel, key) == "ELEMENT_COMPLETED", longest=120)


async def test_a_defect_in_every_worker_of_the_heartbeat_stops_nothing(tmp_path: Path) -> None:
    faulty = FaultyKernel(tmp_path / "home", procos_in(tmp_path / "home", PROCOS_TASK_LEASE="3").environment)
    booting = faulty.start("boot")
    try:
        await asyncio.to_thread(eventually, lambda: (faulty.state() or {}).get("phase") == "ready", longest=120)
        deploy(faulty, tmp_path, named_task("hb-defect", "Wait for it", {"tde": "wait-for"}, catches="WAIT_TIMEOUT"))
        async with connect(faulty.settings) as session:
            keys = [
                await create(session, "hb-defect", tcp={"host": "127.0.0.1", "port": 9}, timeout="PT5S")
                for _ in range(3)
            ]
        await asyncio.to_thread(eventually, lambda: ends_of(faulty, keys) == {"ELEMENT_COMPLETED"}, longest=120)
        await asyncio.to_thread(eventually, lambda: _done(faulty) >= WORKERS, longest=90)
        records = records_in(faulty.home)
        broke = {
            it.value["type"] for it in records if it.intent in {"FAILED", "ERROR_THROWN"} and DEFECT in str(it.value)
        }
        assert broke >= WORKERS
        assert not [it.value for it in records if it.value_type == "INCIDENT"]
    finally:
        faulty("down", check=False)
        booting.communicate(timeout=60)


def _done(kernel: Procos) -> set[str]:
    """The types of which jobs were completed."""
    records = records_in(kernel.home)
    return {it.value["type"] for it in records if (it.value_type, it.intent) == ("JOB", "COMPLETED")}


class FaultyKernel(Procos):
    """A kernel whose workers break."""

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "tests.engine.heartbeat.faulty_kernel", *map(str, arguments)]
