"""What the two shipped drawings promise: named, documented, drawn in full, and in step with the code behind them."""

import importlib
import importlib.metadata
import inspect
import itertools
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[3]
BOOTSTRAP = ROOT / "bpmn" / "kernel" / "bootstrap.bpmn"
AUDIT = ROOT / "examples" / "licence_audit" / "licence-audit.bpmn"

NS = {
    "bpmn": "http://www.omg.org/spec/BPMN/20100524/MODEL",
    "bpmndi": "http://www.omg.org/spec/BPMN/20100524/DI",
    "dc": "http://www.omg.org/spec/DD/20100524/DC",
    "di": "http://www.omg.org/spec/DD/20100524/DI",
    "zeebe": "http://camunda.org/schema/zeebe/1.0",
}
CONNECTIONS = ("sequenceFlow", "association")
NO_FLOW_NODES = (*CONNECTIONS, "documentation", "extensionElements")


class Drawing:
    def __init__(self, file):
        self.text = file.read_text(encoding="utf-8")
        self.root = ET.fromstring(self.text)  # noqa: S314 - our own file
        self.process = self.root.find("bpmn:process", NS)
        children = [(child.tag.partition("}")[2], child) for child in self.process]
        self.nodes = {child.get("id"): child for tag, child in children if tag not in NO_FLOW_NODES}
        self.connections = {child.get("id"): child for tag, child in children if tag in CONNECTIONS}
        self.shapes = {
            shape.get("bpmnElement"): tuple(
                float(shape.find("dc:Bounds", NS).get(side)) for side in ("x", "y", "width", "height")
            )
            for shape in self.root.iterfind(".//bpmndi:BPMNShape", NS)
        }
        self.edges = {
            edge.get("bpmnElement"): [
                (float(point.get("x")), float(point.get("y"))) for point in edge.iterfind("di:waypoint", NS)
            ]
            for edge in self.root.iterfind(".//bpmndi:BPMNEdge", NS)
        }

    def tasks(self):
        return {name: node for name, node in self.nodes.items() if node.tag.endswith("}serviceTask")}

    def segments(self):
        return [(name, *pair) for name, points in self.edges.items() for pair in itertools.pairwise(points)]


@pytest.fixture(params=[BOOTSTRAP, AUDIT], ids=["bootstrap", "licence-audit"])
def drawing(request):
    return Drawing(request.param)


def inputs(task):
    return {mapping.get("target"): mapping.get("source") for mapping in task.iterfind(".//zeebe:input", NS)}


def outputs(task):
    return list(task.iterfind(".//zeebe:output", NS))


def headers(task):
    return {header.get("key"): header.get("value") for header in task.iterfind(".//zeebe:header", NS)}


def job_type(task):
    return task.find(".//zeebe:taskDefinition", NS).get("type")


def test_the_process_and_every_flow_node_have_a_name(drawing):
    assert drawing.process.get("name")
    assert [name for name, node in drawing.nodes.items() if not (node.get("name") or "").strip()] == []


def test_the_process_and_every_task_are_documented(drawing):
    documented = [drawing.process, *drawing.tasks().values()]
    assert [node.get("id") for node in documented if not node.findtext("bpmn:documentation", "", NS).strip()] == []


def test_every_element_is_drawn_and_nothing_else_is(drawing):
    assert set(drawing.shapes) == set(drawing.nodes)
    assert set(drawing.edges) == set(drawing.connections)


def test_incoming_and_outgoing_name_exactly_the_flows(drawing):
    for name, node in drawing.nodes.items():
        for element, end in (("incoming", "targetRef"), ("outgoing", "sourceRef")):
            named = {flow.text for flow in node.iterfind(f"bpmn:{element}", NS)}
            drawn = {
                flow_id
                for flow_id, flow in drawing.connections.items()
                if flow.tag.endswith("}sequenceFlow") and flow.get(end) == name
            }
            assert named == drawn, f"{element} of {name}"


def test_every_edge_begins_and_ends_on_the_border_of_its_shapes(drawing):
    for name, connection in drawing.connections.items():
        for end, point in (("sourceRef", drawing.edges[name][0]), ("targetRef", drawing.edges[name][-1])):
            x, y, width, height = drawing.shapes[connection.get(end)]
            on_side = point[0] in (x, x + width) and y <= point[1] <= y + height
            on_top = point[1] in (y, y + height) and x <= point[0] <= x + width
            assert on_side or on_top, f"{name} at {end}"


def test_every_edge_runs_straight_along_the_grid(drawing):
    assert [name for name, (x1, y1), (x2, y2) in drawing.segments() if x1 != x2 and y1 != y2] == []


def test_no_two_edges_cross(drawing):
    horizontal = [segment for segment in drawing.segments() if segment[1][1] == segment[2][1]]
    vertical = [segment for segment in drawing.segments() if segment[1][0] == segment[2][0]]
    crossings = [
        (across[0], along[0])
        for across, along in itertools.product(horizontal, vertical)
        if min(across[1][0], across[2][0]) < along[1][0] < max(across[1][0], across[2][0])
        and min(along[1][1], along[2][1]) < across[1][1] < max(along[1][1], along[2][1])
    ]
    assert crossings == []


def test_no_two_shapes_overlap(drawing):
    attached = {name for name, node in drawing.nodes.items() if node.get("attachedToRef")}
    free = [(name, shape) for name, shape in drawing.shapes.items() if name not in attached]
    overlaps = [
        (one, other)
        for (one, (x1, y1, w1, h1)), (other, (x2, y2, w2, h2)) in itertools.combinations(free, 2)
        if x1 < x2 + w2 and x2 < x1 + w1 and y1 < y2 + h2 and y2 < y1 + h1
    ]
    assert overlaps == []


def test_nothing_outside_the_file_is_referred_to(drawing):
    assert "<!DOCTYPE" not in drawing.text
    assert list(drawing.root.iterfind("bpmn:import", NS)) == []
    attributes = [(key, value) for element in drawing.root.iter() for key, value in element.attrib.items()]
    assert {key for key, value in attributes if "://" in value} == {"targetNamespace"}


def test_the_drawings_say_that_they_are_made_for_zeebe_8_5(drawing):
    modeler = "{http://camunda.org/schema/modeler/1.0}"
    assert drawing.root.get(f"{modeler}executionPlatform") == "Camunda Cloud"
    assert drawing.root.get(f"{modeler}executionPlatformVersion") == "8.5.0"
    assert drawing.process.get("isExecutable") == "true"


def test_bootstrap_runs_every_check_once_and_without_retries():
    checks = [task for task in Drawing(BOOTSTRAP).tasks().values() if "health" in job_type(task)]
    assert sorted(headers(task)["check"] for task in checks) == ["disk", "engine", "home", "tdes"]
    assert {task.find(".//zeebe:taskDefinition", NS).get("retries") for task in checks} == {"1"}


def test_each_kernel_gets_only_its_own_jobs():
    types = {job_type(task) for task in Drawing(BOOTSTRAP).tasks().values()}
    assert types == {f'="procos.{part}." + kernelId' for part in ("health", "register", "heartbeat", "ready")}


def test_the_python_tasks_call_functions_that_exist_with_arguments_that_they_take():
    called = [inputs(task) for task in Drawing(AUDIT).tasks().values() if job_type(task) == "tde.python"]
    assert len(called) == 5
    for mapping in called:
        module, name = mapping["function_name"].removeprefix("=").strip('"').split(":")
        given = dict.fromkeys(re.findall(r"(\w+):", mapping["arguments"]))
        inspect.signature(getattr(importlib.import_module(module), name)).bind(**given)


def test_every_write_can_be_withdrawn_and_a_failed_post_leads_there():
    audit = Drawing(AUDIT)
    writes = {name for name, task in audit.tasks().items() if inputs(task).get("operation") == '="write"'}
    undone = {
        node.get("attachedToRef"): audit.nodes[flow.get("targetRef")]
        for flow in audit.connections.values()
        if flow.tag.endswith("}association")
        for node in [audit.nodes[flow.get("sourceRef")]]
    }
    assert set(undone) == writes
    assert all(task.get("isForCompensation") == "true" for task in undone.values())
    assert {inputs(task)["operation"] for task in undone.values()} == {'="move"'}
    error = audit.root.find("bpmn:error", NS)
    assert headers(audit.nodes["post-report"])["errorCode"] == error.get("errorCode") == "POST_FAILED"


@pytest.mark.parametrize("name", ["python", "file", "http"])
def test_the_tasks_give_a_tde_what_it_takes_and_use_what_it_gives(name):
    [entry_point] = importlib.metadata.entry_points(group="procos.tdes", name=name)
    tde = entry_point.load()
    taken, given = set(tde.input_model.model_fields), set(tde.output_model.model_fields)
    tasks = [task for task in Drawing(AUDIT).tasks().values() if job_type(task) == tde.job_type]
    assert tasks
    for task in tasks:
        assert inputs(task).keys() <= taken, task.get("id")
        used = {mapping.get("source").removeprefix("=").partition(".")[0] for mapping in outputs(task)}
        assert used <= given, task.get("id")
