"""Which elements of a BPMN file make jobs, and what the diagram says of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from procos.kernel.bpmn_tree import SCOPES, Node, Tree, read_tree
from procos.model.definition import TaskElement
from procos.model.deployment import Resource

USER_TASK_TYPE: Final = "io.camunda.zeebe:userTask"
"""The job type of a user task that a job worker brings to a person; the heartbeat leaves it alone."""

_TASKS: Final = frozenset({"serviceTask", "sendTask", "scriptTask", "businessRuleTask"})
_MESSAGE_EVENTS: Final = frozenset({"intermediateThrowEvent", "endEvent"})


@dataclass(frozen=True, slots=True)
class DrawnProcess:
    """A process of a BPMN file; without a name of its own it has that of its pool."""

    id: str
    name: str
    elements: tuple[TaskElement, ...]


def read_processes(resource: Resource) -> tuple[DrawnProcess, ...]:
    """The processes of a BPMN file, each with the elements that make jobs, in the order of the file.

    Raises:
        UsageError: it cannot be read as XML; names the file and the line.
    """
    tree = read_tree(resource)
    pools = _pools(tree)
    return tuple(
        DrawnProcess(node.id, node.words or pools.get(node.id, ""), _elements(node)) for node in tree.processes
    )


def _pools(tree: Tree) -> Mapping[str, str]:
    """The names of pools by the ids of their processes."""
    collaborations = () if tree.root is None else tree.root.bpmn("collaboration")
    pools = [pool for collaboration in collaborations for pool in collaboration.bpmn("participant")]
    return {pool.attributes.get("processRef", "").rpartition(":")[2]: pool.words for pool in pools}


def _elements(process: Node) -> tuple[TaskElement, ...]:
    return tuple(
        TaskElement(
            element_id=node.id,
            name=node.words,
            documentation="\n\n".join(filter(None, (it.text.strip() for it in node.bpmn("documentation")))),
            lane=lane,
            job_type=None if job_type.startswith("=") else job_type,
            template=node.template,
        )
        for node, lane in _with_lanes(process)
        if (job_type := _job_type(node))
    )


def _job_type(node: Node) -> str:
    """As it is written, empty where the element makes no jobs."""
    if node.name == "userTask":
        return "" if any(node.zeebe("userTask")) else USER_TASK_TYPE
    if node.name in _TASKS or (node.name in _MESSAGE_EVENTS and any(node.bpmn("messageEventDefinition"))):
        return next((it.attributes.get("type", "") for it in node.zeebe("taskDefinition")), "")
    return ""


def _with_lanes(process: Node) -> Iterator[tuple[Node, str]]:
    """Everything in a process and its sub-processes, in the order of the file, with the lane that it is in."""
    waiting = [(process, "")]
    while waiting:
        node, lane = waiting.pop()
        yield node, lane
        if node.name in SCOPES:
            lanes = _lanes(node)
            waiting.extend((child, lanes.get(child.id, lane)) for child in reversed(node.children))


def _lanes(scope: Node) -> Mapping[str, str]:
    """The name of the innermost lane that has one, by the ids of the elements in it."""
    found: dict[str, str] = {}
    level: Sequence[tuple[Node, str]] = [(lane, "") for lanes in scope.bpmn("laneSet") for lane in lanes.bpmn("lane")]
    while level:
        named = [(lane, lane.words or outer) for lane, outer in level]
        found |= {ref.text.strip(): name for lane, name in named for ref in lane.bpmn("flowNodeRef")}
        level = [
            (lane, name) for outer, name in named for lanes in outer.bpmn("childLaneSet") for lane in lanes.bpmn("lane")
        ]
    return found
