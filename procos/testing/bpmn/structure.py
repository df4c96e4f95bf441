"""Whether a process hangs together, by the rules that the engine checks before it deploys."""

from procos.testing.bpmn.extensions import Problem
from procos.testing.bpmn.model import Element, Process


def check(process: Process) -> None:
    """Looks at every element.

    Raises:
        Problem: the first rule that is broken.
    """
    scopes: list[str | None] = [None, *(it.id for it in process.elements.values() if it.kind == "sub process")]
    for scope in scopes:
        _check_start(process, scope)
    for element in process.elements.values():
        _check_flows(process, element)
        _check_boundary(process, element)


def _check_start(process: Process, scope: str | None) -> None:
    starts = [it for it in process.elements.values() if it.kind == "start" and it.scope == scope]
    if not starts:
        raise Problem(scope or process.id, "Must have at least one start event")
    if len(starts) > 1:
        raise Problem(scope or process.id, "Multiple none start events are not allowed")


def _check_flows(process: Process, element: Element) -> None:
    for flow in element.outgoing:
        if process.elements[flow.target].scope != element.scope:
            raise Problem(flow.id, "Must not lead out of, or into, a sub process")
        if flow.condition is not None and element.kind != "exclusive gateway":
            raise Problem.unknown(flow.id, "a condition on a flow that leaves no exclusive gateway")
    if element.kind in {"end", "error end"} and element.outgoing:
        raise Problem(element.id, "End events must not have outgoing sequence flows to other elements.")
    if element.kind == "start" and element.incoming:
        raise Problem(element.id, "Start event must not have incoming sequence flows")
    if element.default_flow and element.default_flow not in {flow.id for flow in element.outgoing}:
        raise Problem(element.id, "Default flow must start at gateway")


def _check_boundary(process: Process, element: Element) -> None:
    if element.kind != "error boundary":
        return
    host = process.elements.get(element.attached_to or "")
    if host is None or host.kind not in {"job", "sub process", "call activity"}:
        raise Problem(element.id, "Must be attached to an activity")
    if not element.names_outgoing:
        raise Problem(element.id, "Must have at least one outgoing sequence flow or association")
    codes = [it.error_code for it in process.boundaries_of(host.id)]
    if codes.count(element.error_code) > 1:
        raise Problem(host.id, f"Multiple error boundary events with the same error code {element.error_code!r}")
