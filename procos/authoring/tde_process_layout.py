"""Where everything lies in the drawing of a TDE's process: the way through on top, the way of failure below it."""

from collections.abc import Mapping, Sequence
from typing import Final
from xml.etree import ElementTree as ET

from procos.authoring.tde_process_xml import Box, Link, Node, Point, io_mapping

_EVENT, _GATEWAY = 36, 50


def _event(x: int, y: int) -> Box:
    return Box(x - _EVENT // 2, y - _EVENT // 2, _EVENT, _EVENT)


def _gateway(x: int, y: int) -> Box:
    return Box(x - _GATEWAY // 2, y - _GATEWAY // 2, _GATEWAY, _GATEWAY)


_BOXES: Final[Mapping[str, Box]] = {
    "input": _event(178, 200),
    "begin": _gateway(275, 200),
    "execute": Box(370, 160, 200, 80),
    "output": _event(868, 200),
    "late": _event(410, 240),
    "failed": _event(490, 240),
    "not-done": _gateway(490, 380),
    "again": _gateway(690, 380),
    "report": _gateway(868, 380),
    "give-up": _event(1010, 380),
    "reported": _event(1010, 480),
    "wait": _event(275, 480),
    "note": Box(160, 60, 200, 62),
    "keep": _gateway(690, 200),
    "compensate": _event(540, 160),
    "undo": Box(620, 40, 160, 80),
    "undo-it": _event(690, 290),
    "undone": _event(780, 290),
    "ended": _gateway(780, 380),
}
_LABELS: Final[Mapping[str, Box]] = {
    "input": Box(150, 225, 56, 14),
    "begin": Box(222, 152, 106, 14),
    "output": Box(835, 225, 66, 14),
    "late": Box(300, 265, 100, 14),
    "failed": Box(500, 265, 120, 14),
    "not-done": Box(450, 412, 80, 14),
    "again": Box(630, 332, 120, 14),
    "report": Box(895, 342, 98, 14),
    "undone": Box(806, 283, 48, 14),
    "ended": Box(763, 412, 34, 14),
    "give-up": Box(965, 405, 90, 14),
    "reported": Box(966, 505, 88, 28),
    "wait": Box(185, 505, 180, 14),
    "keep": Box(630, 152, 120, 14),
    "undo-it": Box(606, 283, 60, 14),
    "compensate": Box(562, 132, 100, 14),
}
_POINTS: Final[Mapping[tuple[str, str], Sequence[Point]]] = {
    ("input", "begin"): ((196, 200), (250, 200)),
    ("begin", "execute"): ((300, 200), (370, 200)),
    ("execute", "output"): ((570, 200), (850, 200)),
    ("execute", "keep"): ((570, 200), (665, 200)),
    ("keep", "output"): ((715, 200), (850, 200)),
    ("keep", "undo-it"): ((690, 225), (690, 272)),
    ("undo-it", "undone"): ((708, 290), (762, 290)),
    ("undone", "ended"): ((780, 308), (780, 355)),
    ("ended", "report"): ((805, 380), (843, 380)),
    ("compensate", "undo"): ((540, 142), (540, 80), (620, 80)),
    ("late", "not-done"): ((410, 258), (410, 380), (465, 380)),
    ("failed", "not-done"): ((490, 258), (490, 355)),
    ("not-done", "again"): ((515, 380), (665, 380)),
    ("again", "ended"): ((715, 380), (755, 380)),
    ("again", "report"): ((715, 380), (843, 380)),
    ("report", "give-up"): ((893, 380), (992, 380)),
    ("report", "reported"): ((868, 405), (868, 480), (992, 480)),
    ("again", "wait"): ((690, 405), (690, 480), (293, 480)),
    ("wait", "begin"): ((275, 462), (275, 225)),
    ("note", "execute"): ((360, 91), (440, 91), (440, 160)),
}
_FLOW_LABELS: Final[Mapping[tuple[str, str], Box]] = {
    ("again", "wait"): Box(698, 412, 30, 14),
    ("again", "ended"): Box(722, 360, 24, 14),
    ("again", "report"): Box(722, 360, 24, 14),
    ("report", "give-up"): Box(900, 384, 32, 14),
    ("report", "reported"): Box(876, 412, 36, 14),
    ("keep", "output"): Box(722, 180, 30, 14),
    ("keep", "undo-it"): Box(698, 232, 24, 14),
}


def node(
    kind: str,
    id: str,  # noqa: A002 - BPMN's own word
    name: str = "",
    *,
    documentation: str = "",
    outputs: Mapping[str, str] | None = None,
    extensions: Sequence[ET.Element] = (),
    attributes: Mapping[str, str] | None = None,
    inside: Sequence[ET.Element] = (),
) -> Node:
    """A node in its place; `outputs` are output mappings, targets to FEEL."""
    mapped = [io_mapping(outputs=outputs)] if outputs else []
    return Node(
        kind=kind,
        id=id,
        name=name,
        box=_BOXES[id],
        label=_LABELS.get(id),
        documentation=documentation,
        attributes=attributes or {},
        extensions=[*extensions, *mapped],
        inside=inside,
    )


def link(
    source: str,
    target: str,
    name: str = "",
    *,
    condition: str = "",
    kind: str = "sequenceFlow",
    attributes: Mapping[str, str] | None = None,
) -> Link:
    """A connection along its way; `condition` is FEEL."""
    return Link(
        source=source,
        target=target,
        name=name,
        kind=kind,
        points=_POINTS[source, target],
        label=_FLOW_LABELS.get((source, target)) if name else None,
        condition=condition,
        attributes=attributes or {},
    )
