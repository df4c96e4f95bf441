"""A kernel that dies in the middle of a step leaves nothing waiting, and nothing is done twice."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from procos.wiring.engines import EngineSession
from tests.engine.conftest import Procos
from tests.engine.heartbeat.killing import Killer
from tests.engine.heartbeat.watching import create, deploy, ends_of, eventually, last_position, named_task, started
from tests.engine.processes import one_task

pytestmark = [pytest.mark.engine, pytest.mark.anyio, pytest.mark.xdist_group("heartbeat")]

FOREIGN = "hb.nobody-here"


@pytest.mark.parametrize(
    "held",
    ["procos.pdo.scan", FOREIGN, "procos.task.route", "procos.task.deliver"],
    ids=["mid-scan", "mid-scan-with-tasks-in-hand", "mid-route", "mid-delivery"],
)
async def test_what_a_killed_kernel_had_in_hand_is_done_once(
    kernel: Procos, own: EngineSession, tmp_path: Path, held: str
) -> None:
    deploy(kernel, tmp_path, named_task("hb-named", "Is it there?", {"tde": "file"}))
    deploy(kernel, tmp_path, one_task("hb-typed", FOREIGN, headers={"tde": "file"}))
    before = last_position(kernel)
    killing = asyncio.create_task(asyncio.to_thread(Killer(kernel).kill_with, held))
    keys = []
    while not killing.done():
        number = len(keys)
        process = "hb-typed" if number % 2 else "hb-named"
        keys.append(await create(own, process, operation="exists", path=f"{number}.txt"))
        await asyncio.sleep(0.3)
    await killing
    await asyncio.to_thread(kernel, "boot", "--detach", timeout=300)
    await asyncio.to_thread(eventually, lambda: ends_of(kernel, keys) == {"ELEMENT_COMPLETED"}, longest=120)
    calls = Counter(record.value["parentProcessInstanceKey"] for record in started(kernel, "tde-file", before))
    assert sum(calls.values()) == len(keys)
    assert set(calls.values()) == {1}
    assert len(started(kernel, "procos-pdo", before)) <= 1
