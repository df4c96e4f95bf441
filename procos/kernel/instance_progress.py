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
    """One element of the process, with all its instances; times are the engine's (UTC)."""

    element_id: str
    element_type: str
    started: datetime
    ended: datetime | None = None
    status: StepStatus = "active"
    times: int = 1
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
        if record.intent == "ELEMENT_ACTIVATED":
            return self._started(element_id, kind, record.timestamp)
        if record.intent in _FINAL and element_id in self.steps:
            step = self.steps[element_id]
            step.ended, step.status = record.timestamp, _FINAL[record.intent]
            return step
        return None

    def _started(self, element_id: str, kind: str, moment: datetime) -> Step:
        step = self.steps.get(element_id)
        if step is None:
            step = self.steps[element_id] = Step(element_id, kind, moment)
        else:
            step.times += 1
            step.status = "active"
        return step

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
