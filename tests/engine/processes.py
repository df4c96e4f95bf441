"""Small processes for tests, written as BPMN."""

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

_FRAME = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
                  xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="definitions" targetNamespace="tests">
{errors}  <bpmn:process id={id} isExecutable="true">
    <bpmn:startEvent id="start"><bpmn:outgoing>to-task</bpmn:outgoing></bpmn:startEvent>
    <bpmn:sequenceFlow id="to-task" sourceRef="start" targetRef="task"/>
    <bpmn:serviceTask id="task" name="Do the work">
      <bpmn:extensionElements>
        <zeebe:taskDefinition type={job_type} retries="{retries}"/>
        <zeebe:taskHeaders>{headers}</zeebe:taskHeaders>
        <zeebe:ioMapping>{inputs}{outputs}</zeebe:ioMapping>
      </bpmn:extensionElements>
      <bpmn:incoming>to-task</bpmn:incoming><bpmn:outgoing>to-end</bpmn:outgoing>
    </bpmn:serviceTask>
    <bpmn:sequenceFlow id="to-end" sourceRef="task" targetRef="end"/>
    <bpmn:endEvent id="end"><bpmn:incoming>to-end</bpmn:incoming></bpmn:endEvent>
{boundary}  </bpmn:process>
</bpmn:definitions>
"""

_BOUNDARY = """    <bpmn:boundaryEvent id="caught" name="Went wrong" attachedToRef="task">
      <bpmn:extensionElements>
        <zeebe:ioMapping><zeebe:output source="=true" target="caught"/></zeebe:ioMapping>
      </bpmn:extensionElements>
      <bpmn:outgoing>to-other-end</bpmn:outgoing><bpmn:errorEventDefinition errorRef="error"/>
    </bpmn:boundaryEvent>
    <bpmn:sequenceFlow id="to-other-end" sourceRef="caught" targetRef="other-end"/>
    <bpmn:endEvent id="other-end"><bpmn:incoming>to-other-end</bpmn:incoming></bpmn:endEvent>
"""


def one_task(
    process_id: str,
    job_type: str,
    *,
    inputs: Mapping[str, str] | None = None,
    outputs: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    retries: int = 3,
    catches: str | None = None,
) -> str:
    """A process of one service task; `inputs` and `outputs` map names to FEEL, `catches` is an error code."""
    mapped_in = "".join(
        f"<zeebe:input source={quoteattr(feel)} target={quoteattr(it)}/>" for it, feel in (inputs or {}).items()
    )
    mapped_out = "".join(
        f"<zeebe:output source={quoteattr(feel)} target={quoteattr(it)}/>" for it, feel in (outputs or {}).items()
    )
    listed = "".join(
        f"<zeebe:header key={quoteattr(key)} value={quoteattr(value)}/>" for key, value in (headers or {}).items()
    )
    return _FRAME.format(
        id=quoteattr(process_id),
        job_type=quoteattr(job_type),
        retries=retries,
        headers=listed,
        inputs=mapped_in,
        outputs=mapped_out,
        boundary=_BOUNDARY if catches else "",
        errors=f'  <bpmn:error id="error" errorCode={quoteattr(catches)}/>\n' if catches else "",
    )


def write(folder: Path, process_id: str, text: str) -> Path:
    """The process as a file in `folder`."""
    file = folder / f"{process_id}.bpmn"
    file.write_text(text, encoding="utf-8")
    return file
