"""A process as a FakeEngine runs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from procos.testing.feel.reader import Evaluate
from procos.testing.feel.values import to_json

Kind = Literal[
    "start", "end", "error end", "pass", "job", "exclusive gateway", "parallel gateway", "sub process",
    "call activity", "error boundary",
]  # fmt: skip
"""What an element does; `pass` is one that does nothing: an intermediate none event, an undefined or manual task."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A value that the BPMN gives: FEEL if it begins with `=`, else plain text."""

    text: str
    feel: Evaluate | None = None

    def value(self, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
        """The value, as JSON has it."""
        return self.text if self.feel is None else to_json(self.feel(variables))


@dataclass(frozen=True, slots=True)
class VariableMapping:
    """An input or output mapping; `target` is a path of names."""

    source: Expression
    target: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A sequence flow; `source` and `target` are element ids."""

    id: str
    source: str
    target: str
    condition: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefinition:
    """What a task says of its jobs."""

    type: Expression
    retries: Expression = Expression("3")
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a call activity calls, and which variables pass."""

    process_id: Expression
    takes_all: bool = True
    gives_all: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """A flow node; `scope` is the id of the sub process around it, None in the process itself.

    `error_code` belongs to an error end or boundary event; a boundary event without one catches every error.
    `names_outgoing` is whether the element itself names its outgoing flows, which the engine asks of boundary events.
    """

    id: str
    kind: Kind
    scope: str | None = None
    outgoing: tuple[Flow, ...] = ()
    incoming: tuple[str, ...] = ()
    default_flow: str | None = None
    inputs: tuple[VariableMapping, ...] = ()
    outputs: tuple[VariableMapping, ...] = ()
    job: JobDefinition | None = None
    call: Call | None = None
    error_code: str | None = None
    attached_to: str | None = None
    names_outgoing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """An executable process: its elements by id."""

    id: str
    elements: Mapping[str, Element]

    def start_of(self, scope: str | None) -> Element:
        """The none start event of the process, or of the sub process `scope`."""
        return next(element for element in self.elements.values() if element.kind == "start" and element.scope == scope)

    def boundaries_of(self, element_id: str) -> tuple[Element, ...]:
        """The boundary events of an element."""
        return tuple(element for element in self.elements.values() if element.attached_to == element_id)
