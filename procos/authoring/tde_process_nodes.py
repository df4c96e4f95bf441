"""What stands in the process of a TDE: its events, gateways and tasks, with their mappings and conditions."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from xml.etree import ElementTree as ET

from procos.authoring import feel
from procos.authoring.schema_words import fields_of
from procos.authoring.task_headers import ERROR_CODE as ERROR_CODE_HEADER
from procos.authoring.task_headers import ERROR_DETAILS as ERROR_DETAILS_HEADER
from procos.authoring.task_headers import USUAL_ATTEMPTS
from procos.authoring.tde_process_layout import node
from procos.authoring.tde_process_xml import Node, bpmn, io_mapping, timer, zeebe
from procos.model.tde import TdeManifest

FAILED: Final = "TDE_FAILED"
"""Thrown to the caller when the job of the last round used up its attempts, or gave up."""
TIMEOUT: Final = "TDE_TIMEOUT"
"""Thrown to the caller when the last round ran out of time."""
UNDONE: Final = "TDE_UNDONE"
"""Thrown to the caller when what was done has been undone."""

ERROR_CODE: Final = "tdeErrorCode"
"""Holds the error of the last round; the caller finds it there where the failure is reported."""
ERROR_MESSAGE: Final = "tdeErrorMessage"

TO_BE_REPORTED: Final = "tdeReport = true"
ANOTHER_ROUND: Final = "tdeRound < (if tdeRounds = null then 1 else tdeRounds)"
BACKOFF: Final = feel.duration(timedelta(seconds=30))

_HELD: Final = "tdeOutput"
"""Holds what Execute gave back until it is delivered: until then it replaces no input of the same name."""
_OWN: Final = ("tdeRound",)
"""The variables that serve every TDE's process, and nobody else."""


def longest_round(manifest: TdeManifest) -> str:
    """The time limit of a round where the caller sets none: all attempts of its job, and one more for the waits."""
    return feel.duration(manifest.time_limit * (_attempts(manifest) + 1))


def way_through(manifest: TdeManifest) -> list[Node]:
    """Input, Execute, Output."""
    names = feel.mappable(manifest.output_schema)
    held = _held(manifest)
    delivered = {name: feel.path(_HELD, name) for name in names}
    # The caller gets every variable of this process: without the last mappings also those that only serve it.
    cleared = dict.fromkeys((*_OWN, *held, ERROR_CODE), "null")
    return [
        node(
            "startEvent",
            "input",
            "Input",
            documentation=_fields("Takes", manifest.input_schema),
            outputs={"tdeRound": "1", **dict.fromkeys(held, "{}")},
        ),
        node("exclusiveGateway", "begin", "Begin a round"),
        _execute(manifest, names),
        node(
            "endEvent",
            "output",
            "Output",
            documentation=_fields("Gives", manifest.output_schema),
            outputs=delivered | cleared,
        ),
    ]


def _execute(manifest: TdeManifest, names: tuple[str, ...]) -> Node:
    attempts = _attempts(manifest)
    return node(
        "serviceTask",
        "execute",
        f"Execute {manifest.name}",
        documentation=f"{manifest.description}. The job is tried {attempts} times; after the last time, or as soon as"
        f" trying again is useless, it throws {FAILED}.",
        extensions=[
            zeebe("taskDefinition", {"type": manifest.job_type, "retries": str(attempts)}),
            zeebe("taskHeaders", None, *_headers({ERROR_CODE_HEADER: FAILED, ERROR_DETAILS_HEADER: "true"})),
        ],
        outputs={f"{_HELD}.{name}": feel.name(name) for name in names},
    )


def way_of_failure(manifest: TdeManifest, *, after: str) -> list[Node]:
    """Out of time or failed, another round after a wait; where there is none, it goes on at the node `after`."""
    limit = f"if tdeTimeLimit = null then {feel.text(longest_round(manifest))} else tdeTimeLimit"
    backoff = f"duration(if tdeBackoff = null then {feel.text(BACKOFF)} else tdeBackoff) * 2 ** (tdeRound - 1)"
    late = {ERROR_CODE: feel.text(TIMEOUT), ERROR_MESSAGE: feel.text("the round ran out of time")}
    failed = {ERROR_CODE: feel.text(FAILED), ERROR_MESSAGE: "errorMessage"}
    on_execute = {"attachedToRef": "execute"}
    return [
        node("boundaryEvent", "late", "Out of time", outputs=late, attributes=on_execute, inside=timer("late", limit)),
        node(
            "boundaryEvent",
            "failed",
            "Failed for good",
            outputs=failed,
            attributes=on_execute,
            inside=_event("error", "failed", errorRef="failed-error"),
        ),
        node("exclusiveGateway", "not-done", "Not done"),
        node("exclusiveGateway", "again", "Another round?", attributes={"default": f"again-to-{after}"}),
        node(
            "intermediateCatchEvent",
            "wait",
            "Wait, longer each time",
            outputs={"tdeRound": "tdeRound + 1"},
            inside=timer("wait", backoff),
        ),
        node("exclusiveGateway", "report", "Report or throw?", attributes={"default": "report-to-give-up"}),
        node("endEvent", "give-up", "Throw the error", inside=_event("error", "give-up", errorRef="thrown-error")),
        node(
            "endEvent",
            "reported",
            "Report the failure",
            documentation=f"The caller finds the error in {ERROR_CODE} and {ERROR_MESSAGE}.",
            outputs=dict.fromkeys((*_OWN, *_held(manifest)), "null"),
        ),
        node(
            "textAnnotation",
            "note",
            inside=[bpmn("text", text="Errors that the TDE throws itself go to the caller as they are.")],
        ),
    ]


def compensation(manifest: TdeManifest, undo_job_type: str) -> list[Node]:
    """The undo of Execute, and what asks for it."""
    held = _HELD if feel.mappable(manifest.output_schema) else "{}"
    return [
        node("exclusiveGateway", "keep", "Keep the result?", attributes={"default": "keep-to-output"}),
        node(
            "boundaryEvent",
            "compensate",
            "Can be undone",
            attributes={"attachedToRef": "execute"},
            inside=_event("compensate", "compensate"),
        ),
        node(
            "serviceTask",
            "undo",
            f"Undo {manifest.name}",
            documentation="Undoes what Execute did. It gets the variables that Execute got, and what Execute gave back"
            " as the variable output. Where it fails for good, an incident waits for a person.",
            attributes={"isForCompensation": "true"},
            extensions=[zeebe("taskDefinition", {"type": undo_job_type}), io_mapping(inputs={"output": held})],
        ),
        node(
            "intermediateThrowEvent",
            "undo-it",
            "Undo it",
            inside=_event("compensate", "undo-it", activityRef="execute"),
        ),
        # An event of its own: the engine (8.6.0) evaluates no output mappings of one that throws compensation.
        node(
            "intermediateThrowEvent",
            "undone",
            "Undone",
            outputs={ERROR_CODE: feel.text(UNDONE), ERROR_MESSAGE: feel.text("what was done has been undone")},
        ),
        node("exclusiveGateway", "ended", "Ended"),
    ]


def not_to_be_kept(manifest: TdeManifest) -> str:
    """The condition under which what Execute did is undone: the caller says so, or what it must give back is missing.

    The runtime refuses an incomplete output; a worker of somebody else's for the same job type may not.
    """
    names = feel.mappable(manifest.output_schema)
    owed = [it.name for it in fields_of(manifest.output_schema) if it.name in names and it.required and not it.nullable]
    missing = [f"{feel.path(_HELD, name)} = null" for name in owed]
    return " or ".join(["tdeKeep = false", *missing])


def _held(manifest: TdeManifest) -> tuple[str, ...]:
    return (_HELD,) if feel.mappable(manifest.output_schema) else ()


def _headers(values: Mapping[str, str]) -> list[ET.Element]:
    return [zeebe("header", {"key": key, "value": value}) for key, value in values.items()]


def _attempts(manifest: TdeManifest) -> int:
    return manifest.attempts or USUAL_ATTEMPTS


def _event(kind: str, of: str, **attributes: str) -> list[ET.Element]:
    return [bpmn(f"{kind}EventDefinition", {"id": f"{of}-definition", **attributes})]


def _fields(verb: str, schema: dict[str, Any]) -> str:
    told = [
        f"{field.name} ({field.kind}{', required' if field.required and verb == 'Takes' else ''})"
        for field in fields_of(schema)
    ]
    return f"{verb} {', '.join(told) or 'no variables'}."
