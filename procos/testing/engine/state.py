"""What a FakeEngine holds: running instances, their element instances and variables, incidents."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from procos.model.deployment import DeployedResource
from procos.model.instance import ProcessInstance
from procos.testing.bpmn.model import Element, Process

Status = Literal["active", "completed", "cancelled"]


class Keys:
    """Keys like the first partition's."""

    def __init__(self) -> None:
        self._numbers = itertools.count(2251799813685249)

    def next(self) -> int:
        """A key that nothing else has."""
        return next(self._numbers)


@dataclass(frozen=True, slots=True)
class Definition:
    """A deployed version of a process, and the file that it came from."""

    deployed: DeployedResource
    process: Process
    content: bytes

    def is_of(self, process: Process, resource_name: str, content: bytes) -> bool:
        """Whether this version is what a file, or a process without one, would make again."""
        is_same_file = (self.deployed.resource_name, self.content) == (resource_name, content)
        return is_same_file and (bool(content) or self.process == process)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeIncident:
    """Where an instance cannot go on; `type` is the engine's own word: JOB_NO_RETRIES, IO_MAPPING_ERROR and so on."""

    key: int
    type: str
    message: str
    process_instance_key: int
    element_id: str
    job_key: int | None = None


@dataclass(eq=False, slots=True)
class ElementInstance:
    """One run of an element, or of the whole process (`element` None), with the variables of its scope."""

    key: int
    running: "RunningInstance"
    element: Element | None = None
    parent: "ElementInstance | None" = None
    variables: dict[str, Any] = field(default_factory=dict)
    children: list["ElementInstance"] = field(default_factory=list)
    arrived: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    called: "RunningInstance | None" = None
    job_key: int | None = None

    @property
    def element_id(self) -> str:
        """The element's id; the process's for the outermost one."""
        return self.element.id if self.element else self.running.definition.process.id

    def scopes(self) -> Iterator["ElementInstance"]:
        """This one and those around it, the innermost first."""
        scope: ElementInstance | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def visible(self) -> dict[str, Any]:
        """Every variable that can be seen from here; an inner one hides an outer one."""
        seen: dict[str, Any] = {}
        for scope in self.scopes():
            seen = scope.variables | seen
        return seen

    def propagate(self, variables: Mapping[str, Any]) -> None:
        """Sets each variable in the nearest scope that has it, else in the outermost one."""
        for name, value in variables.items():
            scope = next((scope for scope in self.scopes() if name in scope.variables), self.running.root)
            scope.variables[name] = value

    def is_empty(self) -> bool:
        """Whether nothing goes on inside, and nothing waits before a gateway."""
        return not self.children and not any(counts.total() for counts in self.arrived.values())


@dataclass(eq=False)
class RunningInstance:
    """A process instance; `caller` is the call activity that started it."""

    key: int
    definition: Definition
    caller: ElementInstance | None = None
    status: Status = "active"
    passed: list[str] = field(default_factory=list)
    root: ElementInstance = field(init=False)

    def __post_init__(self) -> None:
        self.root = ElementInstance(self.key, self)

    @property
    def fact(self) -> ProcessInstance:
        """The instance, as the port gives it out."""
        deployed = self.definition.deployed
        return ProcessInstance(
            key=self.key,
            process_definition_id=deployed.id,
            process_definition_key=deployed.key,
            process_definition_version=deployed.version,
        )

    def active(self) -> tuple[str, ...]:
        """The ids of elements that run now."""
        return tuple(element.element_id for element in _inside(self.root))


def _inside(scope: ElementInstance) -> Iterator[ElementInstance]:
    for child in scope.children:
        yield child
        yield from _inside(child)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeInstance:
    """A process instance as a test looks at it; `variables` are those of its outermost scope.

    `passed` are the ids of elements that were completed, in order; `active` of those that run or wait now.
    """

    key: int
    process_definition_id: str
    process_definition_version: int
    status: Status
    variables: Mapping[str, Any]
    passed: tuple[str, ...]
    active: tuple[str, ...]
    incidents: tuple[FakeIncident, ...]
