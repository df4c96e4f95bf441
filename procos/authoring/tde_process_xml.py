"""A process as BPMN 2.0 XML with its drawing: flow nodes, what connects them, and where each of it lies."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from xml.etree import ElementTree as ET

BPMN: Final = "http://www.omg.org/spec/BPMN/20100524/MODEL"
ZEEBE: Final = "http://camunda.org/schema/zeebe/1.0"
_DI: Final = "http://www.omg.org/spec/BPMN/20100524/DI"
_DC: Final = "http://www.omg.org/spec/DD/20100524/DC"
_DD: Final = "http://www.omg.org/spec/DD/20100524/DI"
_MODELER: Final = "http://camunda.org/schema/modeler/1.0"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_PREFIXES: Final = {
    "bpmn": BPMN, "zeebe": ZEEBE, "bpmndi": _DI, "dc": _DC, "di": _DD, "modeler": _MODELER, "xsi": _XSI,
}  # fmt: skip
_ENGINE: Final = "8.5.0"

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the canvas, in pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Node:
    """A flow node or text annotation: its element, with what stands inside it, and its place.

    `extensions` are Zeebe's own elements, `inside` what BPMN has inside this kind of node (an event definition).
    """

    kind: str
    id: str
    box: Box
    name: str = ""
    label: Box | None = None
    documentation: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    extensions: Sequence[ET.Element] = ()
    inside: Sequence[ET.Element] = ()


@dataclass(frozen=True, kw_only=True)
class Link:
    """A sequence flow, or an association, from the node `source` to the node `target` along `points`."""

    source: str
    target: str
    points: Sequence[Point]
    kind: str = "sequenceFlow"
    name: str = ""
    label: Box | None = None
    condition: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Names both ends."""
        return f"{self.source}-to-{self.target}"


@dataclass(frozen=True, kw_only=True)
class Process:
    """One executable process; `errors` maps the id of each BPMN error to its code."""

    id: str
    name: str
    documentation: str
    errors: Mapping[str, str]
    nodes: Sequence[Node]
    links: Sequence[Link]


def bpmn(tag: str, attributes: Mapping[str, str] | None = None, *inside: ET.Element, text: str = "") -> ET.Element:
    """An element of BPMN's own namespace."""
    return _element(BPMN, tag, attributes, inside, text)


def zeebe(tag: str, attributes: Mapping[str, str] | None = None, *inside: ET.Element) -> ET.Element:
    """An extension element of Zeebe's."""
    return _element(ZEEBE, tag, attributes, inside, "")


def io_mapping(*, inputs: Mapping[str, str] | None = None, outputs: Mapping[str, str] | None = None) -> ET.Element:
    """Zeebe's mapping of variables: targets to FEEL sources, which are written without their equals sign."""
    mappings = [("input", inputs or {}), ("output", outputs or {})]
    lines = [zeebe(tag, {"source": f"={feel}", "target": to}) for tag, it in mappings for to, feel in it.items()]
    return zeebe("ioMapping", None, *lines)


def timer(of: str, feel: str) -> list[ET.Element]:
    """The definition of the timer event `of`, which waits for the duration that the FEEL says."""
    wait = bpmn("timeDuration", {f"{{{_XSI}}}type": "bpmn:tFormalExpression"}, text=f"={feel}")
    return [bpmn("timerEventDefinition", {"id": f"{of}-definition"}, wait)]


def write(process: Process) -> str:
    """The process as an XML document."""
    for prefix, uri in _PREFIXES.items():
        ET.register_namespace(prefix, uri)
    attributes = {
        "id": f"{process.id}-definitions",
        "targetNamespace": "http://bpmn.io/schema/bpmn",
        f"{{{_MODELER}}}executionPlatform": "Camunda Cloud",
        f"{{{_MODELER}}}executionPlatformVersion": _ENGINE,
    }
    errors = [bpmn("error", {"id": it, "name": code, "errorCode": code}) for it, code in process.errors.items()]
    root = bpmn("definitions", attributes, *errors, _process(process), _diagram(process))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _process(process: Process) -> ET.Element:
    head = {"id": process.id, "name": process.name, "isExecutable": "true"}
    nodes = [_node(node, process.links) for node in process.nodes if node.kind != "textAnnotation"]
    flows = [_link(link) for link in process.links if link.kind == "sequenceFlow"]
    notes = [_node(node, ()) for node in process.nodes if node.kind == "textAnnotation"]
    associations = [_link(link) for link in process.links if link.kind != "sequenceFlow"]
    return bpmn("process", head, *_documentation(process.documentation), *nodes, *flows, *notes, *associations)


def _node(node: Node, links: Iterable[Link]) -> ET.Element:
    flows = [link for link in links if link.kind == "sequenceFlow"]
    inside = [
        *_documentation(node.documentation),
        *([bpmn("extensionElements", None, *node.extensions)] if node.extensions else ()),
        *(bpmn("incoming", text=flow.id) for flow in flows if flow.target == node.id),
        *(bpmn("outgoing", text=flow.id) for flow in flows if flow.source == node.id),
        *node.inside,
    ]
    named = {"name": node.name} if node.name else {}
    return bpmn(node.kind, {"id": node.id, **named, **node.attributes}, *inside)


def _link(link: Link) -> ET.Element:
    named = {"name": link.name} if link.name else {}
    head = {"id": link.id, **named, "sourceRef": link.source, "targetRef": link.target, **link.attributes}
    if not link.condition:
        return bpmn(link.kind, head)
    condition = bpmn("conditionExpression", {f"{{{_XSI}}}type": "bpmn:tFormalExpression"}, text=f"={link.condition}")
    return bpmn(link.kind, head, condition)


def _documentation(text: str) -> list[ET.Element]:
    return [bpmn("documentation", text=text)] if text else []


def _diagram(process: Process) -> ET.Element:
    shapes = [_shape(node) for node in process.nodes]
    edges = [_edge(link) for link in process.links]
    plane = _element(_DI, "BPMNPlane", {"id": f"{process.id}-plane", "bpmnElement": process.id}, [*shapes, *edges], "")
    return _element(_DI, "BPMNDiagram", {"id": f"{process.id}-diagram"}, [plane], "")


def _shape(node: Node) -> ET.Element:
    marker = {"isMarkerVisible": "true"} if node.kind == "exclusiveGateway" else {}
    head = {"id": f"{node.id}-shape", "bpmnElement": node.id, **marker}
    return _element(_DI, "BPMNShape", head, [_bounds(node.box), *_label(node.label)], "")


def _edge(link: Link) -> ET.Element:
    points = [_element(_DD, "waypoint", {"x": str(x), "y": str(y)}, (), "") for x, y in link.points]
    head = {"id": f"{link.id}-edge", "bpmnElement": link.id}
    return _element(_DI, "BPMNEdge", head, [*points, *_label(link.label)], "")


def _label(box: Box | None) -> list[ET.Element]:
    return [_element(_DI, "BPMNLabel", None, [_bounds(box)], "")] if box else []


def _bounds(box: Box) -> ET.Element:
    sides = {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
    return _element(_DC, "Bounds", {side: str(value) for side, value in sides.items()}, (), "")


def _element(
    namespace: str, tag: str, attributes: Mapping[str, str] | None, inside: Iterable[ET.Element], text: str
) -> ET.Element:
    element = ET.Element(f"{{{namespace}}}{tag}", dict(attributes or {}))
    element.extend(inside)
    element.text = text or None
    return element
