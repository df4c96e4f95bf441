"""What the route job tells the process `procos-task-run`: who does the task, and what shall happen if it fails."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel

from procos.model.catalogue import CatalogueEntry
from procos.model.routing import RoutingDecision
from procos.model.task import Task

ATTEMPTS_HEADER: Final = "retryAttempts"
BACKOFF_HEADER: Final = "retryBackoff"
ON_FAILURE_HEADER: Final = "onFailure"

OnFailure = Literal["fail", "ask", "compensate"]
_USUAL_BACKOFF: Final = "PT1S"


class Plan(BaseModel):
    """The variable `procosRoute` of a task run.

    `outcome`: run the process `process_id`; ask a person; or the parent is gone. `outputs` are the names that the TDE
    declares, empty where it may give any. `attempts` counts all runs of the TDE, `backoff` is the ISO 8601 wait before
    the second one, doubled before each further one.
    """

    outcome: Literal["run", "ask", "gone"]
    tde: str | None = None
    process_id: str | None = None
    undo_job_type: str | None = None
    stage: str = ""
    confidence: float = 0.0
    reasons: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    attempts: int = 1
    backoff: str = _USUAL_BACKOFF
    on_failure: OnFailure = "fail"


def plan_of(task: Task, decision: RoutingDecision, entry: CatalogueEntry | None, undo_job_type: str | None) -> Plan:
    """The plan for a task that was routed; a person is asked where nobody was sure, or an input is missing."""
    is_clear = entry is not None and not decision.missing
    return Plan(
        outcome="run" if is_clear else "ask",
        tde=decision.tde,
        process_id=entry.process_id if entry else None,
        undo_job_type=undo_job_type,
        stage=decision.stage,
        confidence=decision.confidence,
        reasons=decision.reasons,
        candidates=tuple(candidate.tde for candidate in decision.candidates),
        missing=decision.missing,
        inputs=tuple(decision.inputs),
        outputs=entry.outputs if entry else (),
        attempts=_attempts(task),
        backoff=task.headers.get(BACKOFF_HEADER) or _USUAL_BACKOFF,
        on_failure=_on_failure(task),
    )


def result_of(variables: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """What the parent gets of a task run's variables: the TDE's outputs.

    A TDE that declares none may give any: then it is what neither serves the task run nor was an input.
    """
    if plan.outputs:
        return {name: variables[name] for name in plan.outputs if name in variables}
    return {name: value for name, value in variables.items() if not _is_own(name) and name not in plan.inputs}


def _is_own(name: str) -> bool:
    return name.startswith(("procos", "tde")) or name == "correlationId"


def _attempts(task: Task) -> int:
    """As many as the task's header says, but never more than the parent's job has retries: that many, usually."""
    said = task.headers.get(ATTEMPTS_HEADER, "")
    left = max(1, task.retries)
    return min(max(1, int(said)), left) if said.isdecimal() else left


def _on_failure(task: Task) -> OnFailure:
    match task.headers.get(ON_FAILURE_HEADER, "").strip().lower():
        case "ask":
            return "ask"
        case "compensate":
            return "compensate"
        case _:
            return "fail"
