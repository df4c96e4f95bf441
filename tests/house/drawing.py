"""A BPMN file as its drawing: shapes, labels and lines, with what they stand for."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

NS: Final = {
    "bpmn": "http://www.omg.org/spec/BPMN/20100524/MODEL",
    "bpmndi": "http://www.omg.org/spec/BPMN/20100524/DI",
    "dc": "http://www.omg.org/spec/DD/20100524/DC",
    "di": "http://www.omg.org/spec/DD/20100524/DI",
    "zeebe": "http://camunda.org/schema/zeebe/1.0",
}
_LINES: Final = ("sequenceFlow", "association")
_NOT_DRAWN: Final = ("process", "documentation", "extensionElements", "incoming", "outgoing", "conditionExpression")


@dataclass(frozen=True)
class Box:
    """A rectangle; a piece of a line is one without width or height."""

    x: float
    y: float
    width: float
    height: float

    def touches(self, other: "Box") -> bool:
        """Whether they share a point, borders included."""
        return (
            self.x <= other.x + other.width
            and other.x <= self.x + self.width
            and self.y <= other.y + other.height
            and other.y <= self.y + self.height
        )

    def overlaps(self, other: "Box") -> bool:
        """Whether they share more than a border."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )

    def holds(self, other: "Box") -> bool:
        """Whether the other one lies inside, and touches no border."""
        return (
            self.x < other.x
            and self.y < other.y
            and other.x + other.width < self.x + self.width
            and other.y + other.height < self.y + self.height
        )


class Drawing:
    """The one process of a BPMN text, with all that is nested in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root = ET.fromstring(text)  # noqa: S314 - our own file
        process = self.root.find("bpmn:process", NS)
        assert process is not None
        self.process = process
        found = {it.get("id", ""): it for it in process.iter() if it.get("id") and tag(it) not in _NOT_DRAWN}
        found = {name: it for name, it in found.items() if not tag(it).endswith("Definition") and "zeebe" not in it.tag}
        self.lines = {name: it for name, it in found.items() if tag(it) in _LINES}
        self.nodes = {name: it for name, it in found.items() if name not in self.lines}
        self.shapes = {it.get("bpmnElement", ""): _box(it) for it in self.root.iterfind(".//bpmndi:BPMNShape", NS)}
        self.labels = {
            it.get("bpmnElement", ""): _box(label)
            for kind in ("BPMNShape", "BPMNEdge")
            for it in self.root.iterfind(f".//bpmndi:{kind}", NS)
            if (label := it.find("bpmndi:BPMNLabel", NS)) is not None
        }
        self.edges = {
            edge.get("bpmnElement", ""): [
                (float(it.get("x", "")), float(it.get("y", ""))) for it in edge.iterfind("di:waypoint", NS)
            ]
            for edge in self.root.iterfind(".//bpmndi:BPMNEdge", NS)
        }

    @classmethod
    def of(cls, file: Path) -> "Drawing":
        """The drawing in that file."""
        return cls(file.read_text(encoding="utf-8"))

    @property
    def elements(self) -> dict[str, ET.Element]:
        """Nodes and lines."""
        return self.nodes | self.lines

    def pieces(self) -> list[tuple[str, Box]]:
        """Every straight piece of every line, with the line's id."""
        return [
            (name, Box(min(x1, x2), min(y1, y2), abs(x1 - x2), abs(y1 - y2)))
            for name, points in self.edges.items()
            for (x1, y1), (x2, y2) in itertools.pairwise(points)
        ]

    def ends(self, line: str) -> set[str]:
        """The two elements that a line joins."""
        return {self.lines[line].get(end, "") for end in ("sourceRef", "targetRef")}

    def job_types(self) -> set[str]:
        """The job types of all tasks, expressions included."""
        return {it.get("type", "") for it in self.process.iterfind(".//zeebe:taskDefinition", NS)}


def tag(element: ET.Element) -> str:
    """The name of an element's kind without its namespace."""
    return element.tag.rpartition("}")[2]


def _box(element: ET.Element) -> Box:
    bounds = element.find("dc:Bounds", NS)
    assert bounds is not None
    return Box(*(float(bounds.get(side, "")) for side in ("x", "y", "width", "height")))
