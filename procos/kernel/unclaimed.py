"""Tasks that were drawn with only a name get the job type by which the heartbeat finds them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from procos.errors import UsageError
from procos.kernel.bpmn_tree import SCOPES, ZEEBE, Node, Tree, read_tree
from procos.kernel.heartbeat.options import TASK_TYPE
from procos.model.definition import TaskElement
from procos.model.deployment import Resource

CLAIM_PROPERTY: Final = "procos.claim"
"""An extension property of a task, or of what is around it: with the value `no`, ProcOS changes nothing there."""

_KINDS: Final = frozenset({"serviceTask", "sendTask", "scriptTask", "businessRuleTask"})
_SAYS_WHO: Final = ("taskDefinition", "script", "calledDecision", "calledElement", "userTask", "formDefinition")
_ANSWERS: Final = {"yes": True, "no": False}
_TAG: Final = re.compile(rb"""<[^"'>]*(?:"[^"]*"[^"'>]*|'[^']*'[^"'>]*)*>""")
_EMPTY_END: Final = re.compile(rb"\s*/>\Z")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file as it is deployed, and the tasks in it that have got their job type here."""

    resource: Resource
    tasks: tuple[TaskElement, ...] = ()


class _Edit(NamedTuple):
    """The bytes from `start` to `end` are replaced."""

    start: int
    end: int
    text: bytes


def prepare(resource: Resource) -> Prepared:
    """The file with the job type `procos.task` where a task has none; all else in it stays as it is, byte for byte.

    What is no BPMN comes back unchanged.

    Raises:
        UsageError: it cannot be read as XML, or an opt-out is neither `yes` nor `no`; names the file and the line.
    """
    if not resource.name.endswith(".bpmn"):
        return Prepared(resource)
    tree = read_tree(resource)
    nodes = [node for process in tree.processes for node in _unclaimed(process, resource.name)]
    if not nodes:
        return Prepared(resource)
    text = _edited(tree.text, [edit for node in nodes for edit in _edits(tree, node)])
    tasks = tuple(TaskElement(element_id=node.id, name=node.words, job_type=TASK_TYPE) for node in nodes)
    return Prepared(Resource(resource.name, text.decode().encode(tree.codec)), tasks)


def _unclaimed(process: Node, file: str) -> Iterator[Node]:
    """The tasks that need a job type, in the order of the file."""
    if process.attributes.get("isExecutable", "").strip() != "true":
        return
    waiting = [(process, True)]
    while waiting:
        node, outer = waiting.pop()
        may = _may_be_claimed(node, file, outer)
        if may and _needs_type(node):
            yield node
        if node.name in SCOPES:
            waiting.extend((child, may) for child in reversed(node.children))


def _may_be_claimed(node: Node, file: str, outer: bool) -> bool:  # noqa: FBT001 - what holds around the node
    for properties in node.zeebe("properties"):
        for it in properties.children:
            if it.attributes.get("name") == CLAIM_PROPERTY:
                value = it.attributes.get("value", "")
                if value not in _ANSWERS:
                    raise UsageError(
                        f"{file}, line {it.line}: the property {CLAIM_PROPERTY} of '{node.words or node.id}' is "
                        f"'{value}'",
                        hint="give it the value no where ProcOS shall leave tasks alone, else yes",
                    )
                return _ANSWERS[value]
    return outer


def _needs_type(node: Node) -> bool:
    if node.name == "task":
        return bool(node.words) and not any(node.zeebe(*_SAYS_WHO))
    if node.name not in _KINDS or any(node.zeebe("script", "calledDecision")):
        return False
    definitions = list(node.zeebe("taskDefinition"))
    return not definitions or (len(definitions) == 1 and "type" not in definitions[0].attributes)


def _edits(tree: Tree, node: Node) -> Iterator[_Edit]:
    kind = "serviceTask" if node.name == "task" else node.name
    tag = _tag(tree, node)
    if kind != node.name:
        yield _renamed(node, kind, node.start + 1)
        if not tag.is_empty:
            yield _renamed(node, kind, node.end + 2)
    for definition in node.zeebe("taskDefinition"):
        after_name = definition.start + 1 + len(_written(definition, definition.name))
        yield _Edit(after_name, after_name, f' type="{TASK_TYPE}"'.encode())
        return
    for extensions in node.bpmn("extensionElements"):
        yield _put_into(tree, extensions, extensions.name, _definition(extensions))
        return
    name = _written(node, "extensionElements")
    yield _put_into(tree, node, kind, b"<%b>%b</%b>" % (name, _definition(node), name))


class _Tag(NamedTuple):
    """Where the end of a tag begins (`>`, or `/>` with the space before it) and ends."""

    start: int
    end: int
    is_empty: bool


def _tag(tree: Tree, node: Node, *, at: int | None = None) -> _Tag:
    """A tag of the node: its start tag, or the one that begins `at` a position."""
    found = _TAG.match(tree.text, node.start if at is None else at)
    if found is None:
        raise AssertionError("expat and this pattern see a tag at the same place")
    empty_end = _EMPTY_END.search(found[0])
    start = found.start() + empty_end.start() if empty_end else found.end() - 1
    return _Tag(start, found.end(), empty_end is not None)


def _put_into(tree: Tree, node: Node, name: str, content: bytes) -> _Edit:
    """Puts content to where extension elements stand: first, but after the documentation."""
    tag = _tag(tree, node)
    if tag.is_empty:
        return _Edit(tag.start, tag.end, b">%b</%b>" % (content, _written(node, name)))
    place = tag.end
    for documentation in node.bpmn("documentation"):
        tag = _tag(tree, documentation)
        place = tag.end if tag.is_empty else _tag(tree, documentation, at=documentation.end).end
    return _Edit(place, place, content)


def _renamed(node: Node, kind: str, place: int) -> _Edit:
    return _Edit(place, place + len(_written(node, node.name)), _written(node, kind))


def _written(node: Node, name: str) -> bytes:
    """A name as it is written in the file, with the prefix of the node."""
    return (f"{node.prefix}:{name}" if node.prefix else name).encode()


def _definition(inside: Node) -> bytes:
    for prefix, uri in inside.prefixes.items():
        if uri == ZEEBE:
            name = f"{prefix}:taskDefinition" if prefix else "taskDefinition"
            return f'<{name} type="{TASK_TYPE}"/>'.encode()
    return f'<zeebe:taskDefinition xmlns:zeebe="{ZEEBE}" type="{TASK_TYPE}"/>'.encode()


def _edited(text: bytes, edits: Iterable[_Edit]) -> bytes:
    pieces, place = [], 0
    for edit in sorted(edits):
        pieces += [text[place : edit.start], edit.text]
        place = edit.end
    return b"".join([*pieces, text[place:]])
