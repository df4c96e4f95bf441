"""What an instance has done so far, read from its records."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from procos.model.record import Record

StepStatus = Literal["active", "completed", "terminated"]
_FINAL: Mapping[str, StepStatus] = {"ELEMENT_COMPLETED": "completed", "ELEMENT_TERMINATED": "terminated"}
_HOLDS_OTHERS = frozenset({"PROCESS", "MULTI_INSTANCE_BODY"})


@dataclass(slots=True)
class Step:
    """One element of the process, with all its instances (`open` have not ended yet); times are the engine's (UTC)."""

    element_id: str
    element_type: str
    started: datetime
    ended: datetime | None = None
    status: StepStatus = "active"
    times: int = 0
    open: int = 0
    failures: int = 0
    trouble: str = ""

    @property
    def seconds(self) -> float:
        """From the first start to the last end."""
        return ((self.ended or self.started) - self.started).total_seconds()


@dataclass(slots=True)
class InstanceProgress:
    """Built up by `apply`, record by record; steps are in the order in which they started."""

    process_instance_key: int
    steps: dict[str, Step] = field(default_factory=dict)
    status: StepStatus = "active"
    variables: dict[str, Any] = field(default_factory=dict)

    def apply(self, record: Record) -> Step | None:
        """Takes a record in; returns the step that it changed, if it is one that a person wants to hear of."""
        if record.record_type != "EVENT":
            return None
        match record.value_type:
            case "PROCESS_INSTANCE":
                return self._element(record)
            case "JOB" if record.intent in {"FAILED", "ERROR_THROWN"}:
                return self._job_trouble(record)
            case "INCIDENT" if record.intent == "CREATED":
                return self._trouble(record, f"incident {record.key}: {record.value.get('errorMessage', '')}")
            case "VARIABLE" if record.value.get("scopeKey") == self.process_instance_key:
                self.variables[record.value["name"]] = json.loads(record.value["value"])
        return None

    def _element(self, record: Record) -> Step | None:
        if record.key == self.process_instance_key:
            self.status = _FINAL.get(record.intent, self.status)
            return None
        element_id, kind = record.value["elementId"], record.value["bpmnElementType"]
        if kind in _HOLDS_OTHERS or kind == "SEQUENCE_FLOW":
            return None
        if record.intent == "ELEMENT_ACTIVATING":
            # Already now: an incident (no flow matches, a mapping fails) may keep it from ever becoming active.
            self._begin(element_id, kind, record.timestamp)
            return None
        step = self.steps.get(element_id)
        if step is not None and record.intent in _FINAL:
            step.open -= 1
            step.ended = record.timestamp
            step.status = "active" if step.open else _FINAL[record.intent]
            return step
        return step if record.intent == "ELEMENT_ACTIVATED" else None

    def _begin(self, element_id: str, kind: str, moment: datetime) -> None:
        step = self.steps.setdefault(element_id, Step(element_id, kind, moment))
        step.times += 1
        step.open += 1
        step.status = "active"

    def _job_trouble(self, record: Record) -> Step | None:
        step = self._trouble(record, str(record.value.get("errorMessage", "")))
        if step is not None:
            step.failures += 1
        return step

    def _trouble(self, record: Record, text: str) -> Step | None:
        step = self.steps.get(str(record.value.get("elementId")))
        if step is not None:
            step.trouble = text
        return step
