"""Processes of tasks with only a name, and what the engine's records say of them."""

import asyncio
import json
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import grpc

from procos.adapters.zeebe.protocol import open_stub, pb
from procos.errors import EngineOverloaded, EngineUnavailable
from procos.model.record import Record
from procos.wiring.engines import EngineSession
from tests.engine.conftest import Procos
from tests.engine.records import records_in

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
    (end,) = ends_of(kernel, [instance_key])
    return end


def ends_of(kernel: Procos, instance_keys: Collection[int]) -> set[str | None]:
    """How these instances have ended; None is among them while one runs."""
    ends = {
        record.key: record.intent
        for record in records_in(kernel.home)
        if record.intent in {"ELEMENT_COMPLETED", "ELEMENT_TERMINATED"}
    }
    return {ends.get(key) for key in instance_keys}


def incidents(kernel: Procos, instance_key: int) -> list[Record]:
    """What stopped that instance."""
    return [
        record
        for record in records_in(kernel.home)
        if record.value_type == "INCIDENT"
        and record.intent == "CREATED"
        and record.value["processInstanceKey"] == instance_key
    ]


async def resolve(own: EngineSession, incident: Record) -> None:
    """Does what Operate does when somebody presses "Retry"."""
    async with grpc.aio.insecure_channel(own.engine.address) as channel:
        gateway = open_stub(channel)
        await gateway.UpdateJobRetries(pb.UpdateJobRetriesRequest(jobKey=incident.value["jobKey"], retries=1))
        await gateway.ResolveIncident(pb.ResolveIncidentRequest(incidentKey=incident.key))


async def create(own: EngineSession, process_id: str, **variables: Any) -> int:
    """Starts an instance, also where the engine is overloaded or just coming back; its key."""
    while True:
        try:
            return (await own.engine.create_instance(process_id, variables=variables)).key
        except (EngineOverloaded, EngineUnavailable):
            await asyncio.sleep(0.1)


def last_position(kernel: Procos) -> int:
    return max((record.position for record in records_in(kernel.home)), default=0)


def report_of(kernel: Procos) -> dict[str, Any]:
    """What `procos pdo status` says."""
    report: dict[str, Any] = json.loads(kernel("pdo", "status", "--json").stdout)
    return report
