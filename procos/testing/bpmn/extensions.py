"""What Zeebe's extension elements say: jobs, variable mappings, called processes."""

from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

from procos.testing.bpmn.model import Call, Expression, JobDefinition, VariableMapping
from procos.testing.feel.reader import FeelError, read

BPMN: Final = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
ZEEBE: Final = "{http://camunda.org/schema/zeebe/1.0}"

_KNOWN: Final = {"taskDefinition", "taskHeaders", "ioMapping", "calledElement", "properties", "versionTag"}


class Problem(Exception):
    """What is wrong with an element, in the engine's manner."""

    def __init__(self, element: str, message: str) -> None:
        super().__init__(message)
        self.element = element

    @classmethod
    def unknown(cls, element: str, what: str) -> "Problem":
        """An element that a real engine may take."""
        return cls(element, f"FakeEngine cannot run {what}: test this process on a real engine")


def local_name(node: ET.Element) -> str:
    """The node's name without its namespace."""
    return node.tag.rpartition("}")[2]


def read_expression(text: str, where: str) -> Expression:
    """A value of the BPMN.

    Raises:
        Problem: it begins with `=` and cannot be read as FEEL.
    """
    if not text.startswith("="):
        return Expression(text)
    try:
        return Expression(text, read(text[1:]))
    except FeelError as error:
        message = f"failed to parse expression '{text[1:]}': {error} (FakeEngine knows a part of FEEL only)"
        raise Problem(where, message) from None


def check_extensions(node: ET.Element, element_id: str) -> None:
    """Looks whether everything that Zeebe would read here is known.

    Raises:
        Problem: it is not.
    """
    for child in _extensions(node):
        if local_name(child) not in _KNOWN:
            raise Problem.unknown(element_id, f"the extension element zeebe:{local_name(child)}")


def read_job(node: ET.Element, element_id: str) -> JobDefinition:
    """The element's job.

    Raises:
        Problem: it has none, or says of it what cannot be read.
    """
    where = f"{element_id} > extensionElements > taskDefinition"
    definition = _extension(node, "taskDefinition")
    if definition is None and local_name(node) in {"scriptTask", "businessRuleTask"}:
        raise Problem.unknown(element_id, f"a {local_name(node)} without a task definition")
    if definition is None:
        raise Problem(element_id, "Must have exactly one 'zeebe:taskDefinition' extension element")
    if not definition.get("type"):
        raise Problem(where, "Expected expression but not found.")
    headers = _extension(node, "taskHeaders")
    return JobDefinition(
        type=read_expression(definition.get("type", ""), where),
        retries=read_expression(definition.get("retries") or "3", where),
        headers={} if headers is None else {it.get("key", ""): it.get("value", "") for it in headers},
    )


def read_mappings(node: ET.Element, element_id: str, direction: str) -> tuple[VariableMapping, ...]:
    """The element's mappings of one `direction`, input or output.

    Raises:
        Problem: a source cannot be read, or a target is no name.
    """
    where = f"{element_id} > extensionElements > ioMapping > {direction}"
    mapping = _extension(node, "ioMapping")
    return tuple(
        VariableMapping(read_expression(child.get("source", ""), where), _target(child.get("target", ""), where))
        for child in (() if mapping is None else mapping)
        if local_name(child) == direction
    )


def read_call(node: ET.Element, element_id: str) -> Call:
    """What the call activity calls.

    Raises:
        Problem: it does not say.
    """
    where = f"{element_id} > extensionElements > calledElement"
    called = _extension(node, "calledElement")
    if called is None:
        raise Problem(element_id, "Must have exactly one 'zeebe:calledElement' extension element")
    if called.get("bindingType", "latest") != "latest":
        raise Problem.unknown(element_id, f"a call bound to '{called.get('bindingType')}'")
    if not called.get("processId"):
        raise Problem(where, "Attribute 'processId' must be present and not empty")
    return Call(
        process_id=read_expression(called.get("processId", ""), where),
        takes_all=called.get("propagateAllParentVariables", "true") == "true",
        gives_all=called.get("propagateAllChildVariables", "true") == "true",
    )


def _target(text: str, where: str) -> tuple[str, ...]:
    path = tuple(text.split("."))
    if not all(part.isidentifier() for part in path):
        raise Problem(where, f"Expected path expression '{text}' but doesn't match the pattern of a name")
    return path


def _extension(node: ET.Element, name: str) -> ET.Element | None:
    return next((child for child in _extensions(node) if local_name(child) == name), None)


def _extensions(node: ET.Element) -> Iterator[ET.Element]:
    """Zeebe's own; what other tools note there concerns no engine."""
    for extensions in node.findall(f"{BPMN}extensionElements"):
        yield from (child for child in extensions if child.tag.startswith(ZEEBE))
