"""Moves process instances on: from element to element, into incidents, to their ends."""

import copy
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from procos.errors import EngineError
from procos.testing.bpmn.model import Element, Flow
from procos.testing.engine.definitions import Definitions
from procos.testing.engine.job_board import JobBoard, JobEntry
from procos.testing.engine.state import Definition, ElementInstance, FakeIncident, Keys, RunningInstance, Status
from procos.testing.engine.variables import apply_inputs, outputs_of

MOST_STEPS: Final = 10_000
"""How many elements may run one after the other without one that waits."""


class _Stuck(Exception):
    """An element cannot go on: an incident."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Interpreter:
    """All instances. Whatever can happen at once happens before a call returns."""

    def __init__(self, definitions: Definitions, jobs: JobBoard, keys: Keys) -> None:
        self.instances: dict[int, RunningInstance] = {}
        self.incidents: dict[int, FakeIncident] = {}
        self._definitions = definitions
        self._jobs = jobs
        self._keys = keys
        self._todo: deque[Callable[[], None]] = deque()
        self._start: Mapping[str, Callable[[ElementInstance, Element], None]] = {
            "job": self._make_job,
            "exclusive gateway": self._choose,
            "sub process": self._enter,
            "call activity": self._call,
            "error end": self._end_with_error,
        }

    # What comes from outside

    def create(self, definition: Definition, variables: Mapping[str, Any]) -> RunningInstance:
        """Starts an instance."""
        running = self._begin(definition, variables, None)
        self._go_on()
        return running

    def complete_job(self, entry: JobEntry, variables: Mapping[str, Any]) -> None:
        """The job's element is done."""
        self._jobs.remove(entry.key)
        self._complete(entry.holder, variables)
        self._go_on()

    def throw_error(self, entry: JobEntry, code: str, message: str, variables: Mapping[str, Any]) -> None:
        """The job's element ends in a BPMN error."""
        if not self._throw(entry.holder, code, variables):
            self._jobs.stop(entry)
            self.raise_incident(entry.holder, "UNHANDLED_ERROR_EVENT", _not_caught(code, message))
        self._go_on()

    def cancel(self, running: RunningInstance) -> None:
        """Ends the instance and all that it called."""
        self._end_instance(running, "cancelled")

    def raise_incident(self, element: ElementInstance, kind: str, message: str) -> None:
        """Notes that `element` cannot go on."""
        key = self._keys.next()
        self.incidents[key] = FakeIncident(
            key=key,
            type=kind,
            message=message,
            process_instance_key=element.running.key,
            element_id=element.element_id,
            job_key=element.job_key,
        )

    # From element to element

    def _go_on(self) -> None:
        steps = 0
        while self._todo:
            steps += 1
            if steps > MOST_STEPS:
                self._todo.clear()
                raise EngineError(f"the process ran {MOST_STEPS} elements without one that waits: it goes in circles")
            self._todo.popleft()()

    def _begin(
        self, definition: Definition, variables: Mapping[str, Any], caller: ElementInstance | None
    ) -> RunningInstance:
        running = RunningInstance(self._keys.next(), definition, caller)
        running.root.variables.update(copy.deepcopy(dict(variables)))
        self.instances[running.key] = running
        self._activate(definition.process.start_of(None), running.root)
        return running

    def _activate(self, element: Element, scope: ElementInstance) -> ElementInstance:
        instance = ElementInstance(self._keys.next(), scope.running, element, scope)
        scope.children.append(instance)
        if element.kind != "error boundary":
            self._todo.append(lambda: self._run(instance, element))
        return instance

    def _run(self, instance: ElementInstance, element: Element) -> None:
        if instance.parent is None or instance not in instance.parent.children:
            return  # ended meanwhile
        try:
            apply_inputs(instance, element.inputs)
            self._start.get(element.kind, self._pass)(instance, element)
        except _Stuck as stuck:
            self.raise_incident(instance, stuck.kind, str(stuck))

    def _pass(self, instance: ElementInstance, element: Element) -> None:
        self._leave(instance, element.outgoing, {})

    def _complete(self, instance: ElementInstance, variables: Mapping[str, Any] | None) -> None:
        """`variables` come from a job, an error or a called process; None where there are none."""
        element = instance.element
        if element is None:
            self._end_instance(instance.running, "completed")
        else:
            self._leave(instance, element.outgoing, variables or {})

    def _leave(self, instance: ElementInstance, flows: tuple[Flow, ...], variables: Mapping[str, Any]) -> None:
        element, scope = instance.element, instance.parent
        if element is None or scope is None:
            return
        if element.outputs:
            instance.variables.update(copy.deepcopy(dict(variables)))
            scope.propagate(outputs_of(instance, element.outputs))
        elif element.kind != "error boundary":  # whose variables stay its own, unless they are mapped
            nearest = scope if element.kind == "call activity" else instance
            nearest.propagate(copy.deepcopy(dict(variables)))
        scope.children.remove(instance)
        instance.running.passed.append(element.id)
        for flow in flows:
            self._take(flow, scope)
        self._end_if_done(scope)

    def _take(self, flow: Flow, scope: ElementInstance) -> None:
        target = scope.running.definition.process.elements[flow.target]
        if target.kind == "parallel gateway" and len(target.incoming) > 1:
            arrived = scope.arrived[target.id]
            arrived[flow.id] += 1
            if not all(arrived[name] for name in target.incoming):
                return
            arrived.subtract(target.incoming)
        self._activate(target, scope)

    def _end_if_done(self, scope: ElementInstance) -> None:
        if scope.is_empty():
            self._complete(scope, None)

    # Kinds of elements

    def _make_job(self, instance: ElementInstance, element: Element) -> None:
        definition = element.job
        if definition is None:
            return
        seen = instance.visible()
        job_type, retries = definition.type.value(seen), definition.retries.value(seen)
        if not isinstance(job_type, str):
            raise _Stuck("EXTRACT_VALUE_ERROR", _wrong_type(definition.type.text, "STRING", job_type))
        if not str(retries).lstrip("-").isdigit():
            raise _Stuck("EXTRACT_VALUE_ERROR", _wrong_type(definition.retries.text, "NUMBER", retries))
        self._jobs.add(JobEntry(self._keys.next(), job_type, instance, int(retries), definition.headers))

    def _choose(self, instance: ElementInstance, element: Element) -> None:
        if len(element.outgoing) < 2 and not any(flow.condition for flow in element.outgoing):  # noqa: PLR2004
            self._leave(instance, element.outgoing, {})
            return
        seen = instance.visible()
        for flow in element.outgoing:
            if flow.condition is None or flow.id == element.default_flow:
                continue
            answer = flow.condition.value(seen)
            if not isinstance(answer, bool):
                raise _Stuck("EXTRACT_VALUE_ERROR", _wrong_type(flow.condition.text, "BOOLEAN", answer))
            if answer:
                self._leave(instance, (flow,), {})
                return
        chosen = tuple(flow for flow in element.outgoing if flow.id == element.default_flow)
        if not chosen:
            raise _Stuck(
                "CONDITION_ERROR",
                "Expected at least one condition to evaluate to true, or to have a default flow",
            )
        self._leave(instance, chosen, {})

    def _enter(self, instance: ElementInstance, element: Element) -> None:
        self._activate(instance.running.definition.process.start_of(element.id), instance)

    def _call(self, instance: ElementInstance, element: Element) -> None:
        if element.call is None:
            return
        process_id = element.call.process_id.value(instance.visible())
        definition = self._definitions.newest(process_id) if isinstance(process_id, str) else None
        if definition is None:
            raise _Stuck(
                "CALLED_ELEMENT_ERROR",
                f"Expected process with BPMN process id '{process_id}' to be deployed, but not found.",
            )
        variables = instance.visible() if element.call.takes_all else instance.variables
        instance.called = self._begin(definition, variables, instance)

    def _end_with_error(self, instance: ElementInstance, element: Element) -> None:
        code = element.error_code or ""
        if not self._throw(instance, code, {}):
            raise _Stuck("UNHANDLED_ERROR_EVENT", _not_caught(code, ""))

    # Errors and ends

    def _throw(self, thrower: ElementInstance, code: str, variables: Mapping[str, Any]) -> bool:
        """Looks for who catches the error, from the inside out, and into the processes that called."""
        at: ElementInstance | None = thrower
        while at is not None:
            boundary = self._catcher(at, code)
            if boundary is not None and at.parent is not None:
                scope = at.parent
                self._terminate(at)
                self._complete(self._activate(boundary, scope), variables)
                return True
            at = at.parent or at.running.caller
        return False

    def _catcher(self, at: ElementInstance, code: str) -> Element | None:
        if at.element is None:
            return None
        boundaries = at.running.definition.process.boundaries_of(at.element.id)
        exact = [boundary for boundary in boundaries if boundary.error_code == code]
        return next(iter([*exact, *(boundary for boundary in boundaries if boundary.error_code is None)]), None)

    def _end_instance(self, running: RunningInstance, status: Status) -> None:
        caller = running.caller
        self._terminate(running.root)
        running.status = status
        result = copy.deepcopy(running.root.variables)
        if caller is None or caller.element is None or caller.element.call is None or status != "completed":
            return
        gives = caller.element.call.gives_all or caller.element.outputs
        self._complete(caller, result if gives else {})

    def _terminate(self, instance: ElementInstance) -> None:
        """Ends an element instance and all within; nothing of it happens any more."""
        for child in list(instance.children):
            self._terminate(child)
        if instance.job_key is not None:
            self._jobs.remove(instance.job_key)
        if instance.called is not None and instance.called.status == "active":
            self._end_instance(instance.called, "cancelled")
        if instance.parent is not None:
            instance.parent.children.remove(instance)
        for key, incident in list(self.incidents.items()):
            if incident.process_instance_key == instance.running.key and incident.element_id == instance.element_id:
                del self.incidents[key]


def _wrong_type(expression: str, expected: str, found: object) -> str:
    kind = "NULL" if found is None else type(found).__name__.upper()
    return f"Expected result of the expression '{expression.removeprefix('=')}' to be '{expected}', but was '{kind}'."


def _not_caught(code: str, message: str) -> str:
    said = f" with message '{message}'" if message else ""
    return f"Expected to throw an error event with the code '{code}'{said}, but it was not caught."
