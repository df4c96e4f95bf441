"""Processes for the contract suite, as short as BPMN can be."""

from collections.abc import Mapping
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from tests.engine.processes import one_task

__all__ = ["boundary", "call", "flow", "mapping", "one_task", "process", "task"]

_BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
ET.register_namespace("bpmn", _BPMN.strip("{}"))
ET.register_namespace("zeebe", "http://camunda.org/schema/zeebe/1.0")
_FRAME = """<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
                  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
                  xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="definitions" targetNamespace="tests">
{errors}
<bpmn:process id={id} isExecutable="true">
{body}
</bpmn:process>
</bpmn:definitions>
"""


def process(process_id: str, *body: str, errors: Mapping[str, str] | None = None) -> str:
    """A process; `errors` are error codes by the id of their error."""
    listed = (f"<bpmn:error id={quoteattr(it)} errorCode={quoteattr(code)}/>" for it, code in (errors or {}).items())
    root = ET.fromstring(_FRAME.format(id=quoteattr(process_id), errors="\n".join(listed), body="\n".join(body)))  # noqa: S314
    nodes = {node.get("id", ""): node for node in root.iter()}
    # The engine's checks look at what an element says of its flows, not at the flows.
    for side, reference in (("outgoing", "sourceRef"), ("incoming", "targetRef")):
        for sequence_flow in reversed(list(root.iter(f"{_BPMN}sequenceFlow"))):
            node = nodes.get(sequence_flow.get(reference, ""))
            if node is not None:
                named = ET.Element(f"{_BPMN}{side}")
                named.text = sequence_flow.get("id")
                node.insert(len(node.findall(f"{_BPMN}extensionElements")), named)
    return ET.tostring(root, encoding="unicode")


def flow(source: str, target: str, condition: str | None = None, flow_id: str | None = None) -> str:
    """A sequence flow, called `SOURCE-TARGET` unless named."""
    inner = ""
    if condition is not None:
        kind = 'xsi:type="bpmn:tFormalExpression"'
        inner = f"<bpmn:conditionExpression {kind}>{escape(condition)}</bpmn:conditionExpression>"
    name = flow_id or f"{source}-{target}"
    return f'<bpmn:sequenceFlow id="{name}" sourceRef="{source}" targetRef="{target}">{inner}</bpmn:sequenceFlow>'


def mapping(*, inputs: Mapping[str, str] | None = None, outputs: Mapping[str, str] | None = None) -> str:
    """Input and output mappings, by their targets."""
    lines = [
        f"<zeebe:{direction} source={quoteattr(source)} target={quoteattr(target)}/>"
        for direction, mappings in (("input", inputs), ("output", outputs))
        for target, source in (mappings or {}).items()
    ]
    return f"<zeebe:ioMapping>{''.join(lines)}</zeebe:ioMapping>"


def task(element_id: str, job_type: str, *extensions: str, retries: str = "3") -> str:
    """A service task."""
    return (
        f'<bpmn:serviceTask id="{element_id}"><bpmn:extensionElements>'
        f"<zeebe:taskDefinition type={quoteattr(job_type)} retries={quoteattr(retries)}/>{''.join(extensions)}"
        "</bpmn:extensionElements></bpmn:serviceTask>"
    )


def call(element_id: str, process_id: str, *extensions: str, attributes: str = "") -> str:
    """A call activity."""
    return (
        f'<bpmn:callActivity id="{element_id}"><bpmn:extensionElements>'
        f"<zeebe:calledElement processId={quoteattr(process_id)} {attributes}/>{''.join(extensions)}"
        "</bpmn:extensionElements></bpmn:callActivity>"
    )


def boundary(element_id: str, attached_to: str, error: str | None = None, *extensions: str) -> str:
    """An error boundary event; without `error` it catches all."""
    reference = f' errorRef="{error}"' if error else ""
    inner = f"<bpmn:extensionElements>{''.join(extensions)}</bpmn:extensionElements>" if extensions else ""
    return (
        f'<bpmn:boundaryEvent id="{element_id}" attachedToRef="{attached_to}">{inner}'
        f"<bpmn:errorEventDefinition{reference}/></bpmn:boundaryEvent>"
    )
