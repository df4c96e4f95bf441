"""Reads BPMN into processes; what a FakeEngine cannot run is a problem that names its element."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, NoReturn
from xml.etree import ElementTree as ET

from procos.testing.bpmn.extensions import (
    BPMN,
    Problem,
    check_extensions,
    local_name,
    read_call,
    read_job,
    read_mappings,
)
from procos.testing.bpmn.extensions import read_expression as expression
from procos.testing.bpmn.model import Element, Flow, Kind, Process
from procos.testing.bpmn.structure import check

_KINDS: Final[dict[str, Kind]] = {
    "startEvent": "start", "endEvent": "end", "intermediateThrowEvent": "pass", "task": "pass", "manualTask": "pass",
    "serviceTask": "job", "sendTask": "job", "scriptTask": "job", "businessRuleTask": "job",
    "exclusiveGateway": "exclusive gateway", "parallelGateway": "parallel gateway", "subProcess": "sub process",
    "callActivity": "call activity", "boundaryEvent": "error boundary",
}  # fmt: skip
_NOT_FLOW: Final = {"extensionElements", "documentation", "sequenceFlow", "incoming", "outgoing", "textAnnotation",
                    "association", "laneSet", "group", "category", "property", "dataObject", "dataObjectReference",
                    "dataStoreReference", "ioSpecification"}  # fmt: skip


class BpmnRefused(Exception):
    """A file that is not deployed; the message is the engine's kind of reason, a problem a line."""


@dataclass(frozen=True, slots=True)
class _File:
    """What elements of a file refer to: error codes by the id of the error."""

    error_codes: dict[str, str | None]


def read_processes(content: bytes) -> tuple[Process, ...]:
    """The executable processes of a BPMN file.

    Raises:
        BpmnRefused: it is no BPMN, it is wrong, or it holds what a FakeEngine cannot run.
    """
    try:
        root = ET.fromstring(content)  # noqa: S314 - a test's own file
    except (ET.ParseError, ValueError) as error:
        raise BpmnRefused(f"Fatal Error: {error}") from None
    file = _File({error.get("id", ""): error.get("errorCode") for error in root.iter(f"{BPMN}error")})
    nodes = [node for node in root.iter(f"{BPMN}process") if node.get("isExecutable") == "true"]
    try:
        return tuple(_process(node, file) for node in nodes or _none_executable())
    except Problem as problem:
        raise BpmnRefused(f"- Element: {problem.element}\n    - ERROR: {problem}") from None


def _none_executable() -> NoReturn:
    raise Problem("definitions", "Must contain at least one executable process")


def _process(node: ET.Element, file: _File) -> Process:
    process_id = node.get("id", "")
    if not process_id:
        raise Problem("process", "Must have an id")
    check_extensions(node, process_id)
    elements: dict[str, Element] = {}
    flows: list[Flow] = []
    for scope, child in _nodes(node, None):
        name = local_name(child)
        if name == "sequenceFlow":
            flows.append(_flow(child))
        elif name not in _NOT_FLOW and child.tag.startswith(BPMN):
            element = _element(child, scope, file)
            if element.id in elements:
                raise Problem(element.id, "Duplicate id")
            elements[element.id] = element
    process = Process(id=process_id, elements=_joined(elements, flows))
    check(process)
    return process


def _nodes(parent: ET.Element, scope: str | None) -> Iterator[tuple[str | None, ET.Element]]:
    for child in parent:
        yield scope, child
        if local_name(child) == "subProcess":
            yield from _nodes(child, child.get("id"))


def _flow(node: ET.Element) -> Flow:
    flow_id = node.get("id", "")
    condition = node.find(f"{BPMN}conditionExpression")
    text = (condition.text or "").strip() if condition is not None else ""
    return Flow(
        id=flow_id,
        source=node.get("sourceRef", ""),
        target=node.get("targetRef", ""),
        condition=expression(text, f"{flow_id} > conditionExpression") if condition is not None else None,
    )


def _element(node: ET.Element, scope: str | None, file: _File) -> Element:
    name, element_id = local_name(node), node.get("id", "")
    if not element_id:
        raise Problem(name, "Must have an id")
    kind = _KINDS.get(name)
    if kind is None:
        raise Problem.unknown(element_id, f"a {name}")
    _refuse_markers(node, element_id)
    check_extensions(node, element_id)
    kind, error_code = _event(node, element_id, kind, file)
    return Element(
        id=element_id,
        kind=kind,
        scope=scope,
        default_flow=node.get("default"),
        inputs=read_mappings(node, element_id, "input"),
        outputs=read_mappings(node, element_id, "output"),
        job=read_job(node, element_id) if kind == "job" else None,
        call=read_call(node, element_id) if kind == "call activity" else None,
        error_code=error_code,
        attached_to=node.get("attachedToRef"),
        names_outgoing=node.find(f"{BPMN}outgoing") is not None,
    )


def _refuse_markers(node: ET.Element, element_id: str) -> None:
    for child in node:
        name = local_name(child)
        if name.endswith("LoopCharacteristics"):
            raise Problem.unknown(element_id, "multi-instance or a loop marker")
    if node.get("triggeredByEvent") == "true":
        raise Problem.unknown(element_id, "an event sub process")
    if node.get("isForCompensation") == "true":
        raise Problem.unknown(element_id, "compensation")


def _event(node: ET.Element, element_id: str, kind: Kind, file: _File) -> tuple[Kind, str | None]:
    """What the element is with its event definition, and its error code."""
    definitions = [child for child in node if local_name(child).endswith("EventDefinition")]
    if not definitions:
        if kind == "error boundary":
            raise Problem(element_id, "Must have exactly one event definition")
        return kind, None
    name = local_name(definitions[0])
    if len(definitions) > 1 or name != "errorEventDefinition" or kind not in {"end", "error boundary"}:
        raise Problem.unknown(element_id, f"a {local_name(node)} with a {name}")
    reference = definitions[0].get("errorRef")
    code = file.error_codes.get(reference) if reference else None
    if reference and reference not in file.error_codes:
        raise Problem(element_id, f"Must reference an error, but there is no error '{reference}'")
    if (reference or kind == "end") and not code:
        raise Problem(element_id, "Must have an error code")
    if code and code.startswith("="):
        raise Problem.unknown(element_id, "an error code that is an expression")
    return "error end" if kind == "end" else kind, code


def _joined(elements: dict[str, Element], flows: list[Flow]) -> dict[str, Element]:
    """The elements with their flows, in the file's order."""
    outgoing: dict[str, list[Flow]] = defaultdict(list)
    incoming: dict[str, list[str]] = defaultdict(list)
    for flow in flows:
        for end, reference in ((flow.source, "sourceRef"), (flow.target, "targetRef")):
            if end not in elements:
                raise Problem(flow.id, f"Must have a {reference}, but there is no element '{end}'")
        outgoing[flow.source].append(flow)
        incoming[flow.target].append(flow.id)
    return {
        name: replace(element, outgoing=tuple(outgoing[name]), incoming=tuple(incoming[name]))
        for name, element in elements.items()
    }
