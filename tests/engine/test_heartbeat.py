"""Tasks that nobody claims are found, routed, done and given back, on a real engine of their own."""

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from procos.errors import EngineOverloaded
from procos.model.job import Completed
from procos.model.record import Record
from procos.wiring.engines import EngineSession, connect
from tests.engine.conftest import Procos, procos_in
from tests.engine.processes import one_task
from tests.engine.records import records_in

pytestmark = [pytest.mark.engine, pytest.mark.anyio, pytest.mark.xdist_group("heartbeat")]

A_WHILE = timedelta(seconds=60)
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
  xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="definitions" targetNamespace="tests">"""


def named_task(process_id: str, name: str, headers: dict[str, str], *, catches: str | None = None) -> str:
    """A process with one task that has only a name, and headers; a boundary event catches that error code."""
    listed = "".join(f'<zeebe:header key="{key}" value="{value}"/>' for key, value in headers.items())
    boundary = (
        """<bpmn:boundaryEvent id="caught" attachedToRef="task">
        <bpmn:extensionElements><zeebe:ioMapping><zeebe:output source="=true" target="caught"/></zeebe:ioMapping>
        </bpmn:extensionElements><bpmn:outgoing>f3</bpmn:outgoing>
        <bpmn:errorEventDefinition errorRef="error"/></bpmn:boundaryEvent>
        <bpmn:sequenceFlow id="f3" sourceRef="caught" targetRef="other"/>
        <bpmn:endEvent id="other"><bpmn:incoming>f3</bpmn:incoming></bpmn:endEvent>"""
        if catches
        else ""
    )
    error = f'<bpmn:error id="error" errorCode="{catches}"/>' if catches else ""
    return f"""{HEAD}{error}
  <bpmn:process id="{process_id}" isExecutable="true">
    <bpmn:startEvent id="start"><bpmn:outgoing>f1</bpmn:outgoing></bpmn:startEvent>
    <bpmn:sequenceFlow id="f1" sourceRef="start" targetRef="task"/>
    <bpmn:serviceTask id="task" name="{name}">
      <bpmn:extensionElements><zeebe:taskHeaders>{listed}</zeebe:taskHeaders></bpmn:extensionElements>
      <bpmn:incoming>f1</bpmn:incoming><bpmn:outgoing>f2</bpmn:outgoing>
    </bpmn:serviceTask>
    <bpmn:sequenceFlow id="f2" sourceRef="task" targetRef="end"/>
    <bpmn:endEvent id="end"><bpmn:incoming>f2</bpmn:incoming></bpmn:endEvent>
    {boundary}
  </bpmn:process>
</bpmn:definitions>"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Procos]:
    """A kernel with an engine of its own, whose heartbeat nothing else disturbs."""
    root = tmp_path_factory.mktemp("heartbeat")
    (root / "files").mkdir()
    command = procos_in(
        root / "home",
        PROCOS_TDE__FILE__ROOTS=json.dumps([str(root / "files")]),
        PROCOS_TASK_LEASE="3",
        PROCOS_UNCLAIMED_GRACE="2",
        PROCOS_HEARTBEAT_LONGEST_PAUSE="2",
    )
    command("boot", "--detach", timeout=300)
    yield command
    command("down", check=False)


@pytest.fixture
async def own(kernel: Procos) -> AsyncIterator[EngineSession]:
    """A connection to that kernel's engine."""
    async with connect(kernel.settings) as session:
        yield session


def files_of(kernel: Procos) -> Path:
    return kernel.home.parent / "files"


def deploy(kernel: Procos, tmp_path: Path, text: str) -> str:
    file = tmp_path / "drawn.bpmn"
    file.write_text(text)
    return kernel("deploy", file).stderr


def eventually(look: Callable[[], Any], *, longest: float = 60) -> Any:
    end = time.monotonic() + longest
    while not (found := look()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.2)
    return found


def started(kernel: Procos, process_id: str, since: int = 0) -> list[Record]:
    """The instances of that process that were ever started."""
    return [
        record
        for record in records_in(kernel.home)
        if record.value_type == "PROCESS_INSTANCE"
        and record.intent == "ELEMENT_ACTIVATED"
        and record.value["bpmnElementType"] == "PROCESS"
        and record.value["bpmnProcessId"] == process_id
        and record.position > since
    ]


def ended(kernel: Procos, instance_key: int) -> str | None:
    """ELEMENT_COMPLETED or ELEMENT_TERMINATED, None while it runs."""
    for record in records_in(kernel.home):
        if record.key == instance_key and record.intent in {"ELEMENT_COMPLETED", "ELEMENT_TERMINATED"}:
            return record.intent
    return None


def incidents(kernel: Procos, instance_key: int) -> list[str]:
    return [
        record.value["errorMessage"]
        for record in records_in(kernel.home)
        if record.value_type == "INCIDENT"
        and record.intent == "CREATED"
        and record.value["processInstanceKey"] == instance_key
    ]


async def create(own: EngineSession, process_id: str, **variables: Any) -> int:
    """Starts an instance, also where the engine has to be asked several times; its key."""
    while True:
        try:
            return (await own.engine.create_instance(process_id, variables=variables)).key
        except EngineOverloaded:
            await asyncio.sleep(0.1)


def last_position(kernel: Procos) -> int:
    return max((record.position for record in records_in(kernel.home)), default=0)


async def test_a_task_with_only_a_name_is_done_and_its_result_given_back(
    kernel: Procos, own: EngineSession, tmp_path: Path
) -> None:
    said = deploy(kernel, tmp_path, named_task("hb-name", "Is the file there?", {"tde": "file"}))
    assert "Is the file there?" in said
    variables = {"operation": "exists", "path": "nothing.txt", "mine": 1, "correlationId": "c-1"}
    result = await own.engine.create_instance_with_result("hb-name", variables=variables, timeout=A_WHILE)
    assert result.variables["exists"] is False
    assert result.variables["mine"] == 1
    assert not {name for name in result.variables if name.startswith(("procos", "tde"))}
    assert result.variables["correlationId"] == "c-1"


async def test_a_failure_becomes_an_incident_of_the_parent_after_its_retries(
    kernel: Procos, own: EngineSession, tmp_path: Path
) -> None:
    deploy(
        kernel,
        tmp_path,
        named_task("hb-fails", "Read it", {"tde": "file", "retryAttempts": "2", "retryBackoff": "PT0.1S"}),
    )
    before = last_position(kernel)
    variables = {"operation": "read", "path": "no-such-file.txt"}
    instance = await own.engine.create_instance("hb-fails", variables=variables)
    # The parent's job has three retries: the attempts of the first task run use two, the second has the last one.
    (said,) = await asyncio.to_thread(eventually, lambda: incidents(kernel, instance.key))
    assert "no-such-file.txt" in said
    assert len(started(kernel, "procos-task-run", before)) == 2
    assert len(started(kernel, "tde-file", before)) == 3
    await own.engine.cancel_instance(instance.key)


async def test_cancelling_the_parent_cancels_the_task_run_and_what_it_calls(
    kernel: Procos, own: EngineSession, tmp_path: Path
) -> None:
    deploy(kernel, tmp_path, named_task("hb-cancel", "Wait for it", {"tde": "wait-for"}))
    before = last_position(kernel)
    variables = {"tcp": {"host": "127.0.0.1", "port": 9}, "timeout": "PT1H"}
    instance = await own.engine.create_instance("hb-cancel", variables=variables)
    (run,) = await asyncio.to_thread(eventually, lambda: started(kernel, "procos-task-run", before))
    await own.engine.cancel_instance(instance.key)
    end = await asyncio.to_thread(eventually, lambda: ended(kernel, run.key))
    assert end == "ELEMENT_TERMINATED"


async def test_a_foreign_type_that_nobody_works_on_is_taken_after_the_grace_period(
    kernel: Procos, own: EngineSession, tmp_path: Path
) -> None:
    deploy(kernel, tmp_path, one_task("hb-foreign", "hb.nobody", headers={"tde": "file"}))
    variables = {"operation": "exists", "path": "nothing.txt"}
    result = await own.engine.create_instance_with_result("hb-foreign", variables=variables, timeout=A_WHILE)
    assert result.variables["exists"] is False


async def test_a_foreign_worker_keeps_its_job(kernel: Procos, own: EngineSession, tmp_path: Path) -> None:
    deploy(kernel, tmp_path, one_task("hb-theirs", "hb.theirs"))
    before = last_position(kernel)
    waiting = asyncio.create_task(
        own.jobs.activate(
            "hb.theirs", worker="other", max_jobs=1, lease=timedelta(minutes=1), wait=timedelta(seconds=20)
        )
    )
    await asyncio.sleep(0.2)
    await own.engine.create_instance("hb-theirs")
    (job,) = await waiting
    await asyncio.sleep(5)  # more than the grace period, and a scan
    await own.jobs.deliver(job, Completed())
    assert started(kernel, "procos-task-run", before) == []


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
    await asyncio.to_thread(
        eventually, lambda: {ended(kernel, key) for key in keys} == {"ELEMENT_COMPLETED"}, longest=120
    )
    calls = Counter(record.value["parentProcessInstanceKey"] for record in started(kernel, "tde-file", before))
    assert sum(calls.values()) == len(keys)
    assert set(calls.values()) == {1}


def _kill(kernel: Procos, pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    kernel("boot", "--detach", timeout=300)


async def test_a_bpmn_error_reaches_the_event_that_catches_it(
    kernel: Procos, own: EngineSession, tmp_path: Path
) -> None:
    text = named_task("hb-error", "Wait for the file", {"tde": "wait-for"}, catches="WAIT_TIMEOUT")
    deploy(kernel, tmp_path, text)
    variables = {"tcp": {"host": "127.0.0.1", "port": 9}, "timeout": "PT0S"}
    result = await own.engine.create_instance_with_result("hb-error", variables=variables, timeout=A_WHILE)
    assert result.variables["caught"] is True


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
        await asyncio.to_thread(
            eventually, lambda: {ended(kernel, key) for key in keys} == {"ELEMENT_COMPLETED"}, longest=120
        )
        assert len(started(kernel, "procos-task-run", before)) == len(keys)
        assert len(started(kernel, "procos-pdo", before)) == 0
        both = [report_of(kernel)["handed_over"], report_of(other)["handed_over"]]
        assert min(both) > 0
    finally:
        other("down", check=False)


def report_of(kernel: Procos) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(kernel("pdo", "status", "--json").stdout)
    return report


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
