"""What FakeEngine cannot run is refused when it is deployed, with the element's id and what to do."""

from pathlib import Path

import pytest

from procos.errors import EngineRejected
from procos.model.deployment import Resource
from procos.resources import example, kernel_bpmn
from procos.testing import FakeEngine
from tests.contract.processes import boundary, flow, one_task, process, task

pytestmark = pytest.mark.anyio

START = '<bpmn:startEvent id="start"/>'
UNKNOWN = {
    "user task": '<bpmn:userTask id="odd"/>',
    "receive task": '<bpmn:receiveTask id="odd"/>',
    "inclusive gateway": '<bpmn:inclusiveGateway id="odd"/>',
    "event-based gateway": '<bpmn:eventBasedGateway id="odd"/>',
    "timer": '<bpmn:intermediateCatchEvent id="odd"><bpmn:timerEventDefinition/></bpmn:intermediateCatchEvent>',
    "message end": '<bpmn:endEvent id="odd"><bpmn:messageEventDefinition/></bpmn:endEvent>',
    "terminate end": '<bpmn:endEvent id="odd"><bpmn:terminateEventDefinition/></bpmn:endEvent>',
    "message start": '<bpmn:startEvent id="odd"><bpmn:messageEventDefinition/></bpmn:startEvent>',
    "event sub process": '<bpmn:subProcess id="odd" triggeredByEvent="true"/>',
    "business rule": '<bpmn:businessRuleTask id="odd"/>',
    "multi-instance": task("odd", "t").replace(
        "</bpmn:serviceTask>", "<bpmn:multiInstanceLoopCharacteristics/></bpmn:serviceTask>"
    ),
    "a listener": task("odd", "t", "<zeebe:executionListeners/>"),
    "a condition elsewhere": task("plain", "t") + flow("plain", "plain", "=true", "odd"),
    "FEEL that it does not know": task("odd", "=now()"),
    "a date": task("odd", '=string(date("2024-01-01"))'),
    "a bound call": '<bpmn:callActivity id="odd"><bpmn:extensionElements><zeebe:calledElement processId="x" '
    'bindingType="deployment"/></bpmn:extensionElements></bpmn:callActivity>',
    "a boundary timer": task("host", "t") + boundary("odd", "host").replace("error", "timer"),
}


@pytest.mark.parametrize("what", UNKNOWN)
async def test_what_it_does_not_know_is_refused_with_the_element_and_a_way_out(what: str) -> None:
    with pytest.raises(EngineRejected) as refused:
        await FakeEngine().deploy([Resource("a.bpmn", process("p", START, UNKNOWN[what]).encode())])
    assert "'a.bpmn': - Element: odd" in refused.value.reason
    assert "FakeEngine" in refused.value.reason


async def test_a_form_or_a_decision_is_refused() -> None:
    with pytest.raises(EngineRejected, match=r"'a\.dmn': unknown resource type; FakeEngine takes BPMN only"):
        await FakeEngine().deploy([Resource("a.dmn", b"<x/>")])


async def test_every_bad_file_is_named() -> None:
    files = [Resource("a.bpmn", b""), Resource("b.txt", b""), Resource("c.bpmn", one_task("p", "t").encode())]
    with pytest.raises(EngineRejected) as refused:
        await FakeEngine().deploy(files)
    assert "'a.bpmn'" in refused.value.reason
    assert "'b.txt'" in refused.value.reason
    assert "'c.bpmn'" not in refused.value.reason


async def test_the_shipped_processes_that_fit_the_subset_are_taken() -> None:
    files: list[Path] = [Path(str(file)) for file in kernel_bpmn() if file.name == "bootstrap.bpmn"]
    files.append(Path(str(example("hello"))) / "hello.bpmn")
    for file in files:
        assert (await FakeEngine().deploy([Resource(file.name, file.read_bytes())])).process_ids
