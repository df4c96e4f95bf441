"""A TDE as a BPMN process, Input → Execute → Output, with its timeout, retry, error and compensation paths drawn."""

from typing import Final

from procos.authoring import tde_process_nodes as nodes
from procos.authoring.tde_process_layout import link
from procos.authoring.tde_process_nodes import FAILED, TIMEOUT, UNDONE
from procos.authoring.tde_process_xml import Link, Process, write
from procos.model.tde import TdeManifest

__all__ = ["FAILED", "TIMEOUT", "UNDONE", "process_id", "tde_process"]


_ERRORS: Final = {"failed-error": FAILED, "thrown-error": f"={nodes.ERROR_CODE}"}


def process_id(name: str) -> str:
    """The id of the process of the TDE `name`."""
    return f"tde-{name}"


def tde_process(manifest: TdeManifest) -> str:
    """The process of a TDE as BPMN 2.0 XML with its drawing, for Zeebe 8.5 and newer.

    Where the TDE has an undo, compensation is drawn too. What the TDE throws itself (`BpmnError`) goes to the caller as
    it is; the process throws FAILED, TIMEOUT and UNDONE. Its documentation names the variables that a caller may set.
    """
    undo = manifest.undo_job_type
    return write(_without_undo(manifest) if undo is None else _with_undo(manifest, undo))


def _without_undo(manifest: TdeManifest) -> Process:
    return Process(
        id=process_id(manifest.name),
        name=f"TDE {manifest.name}",
        documentation=_about(manifest),
        errors=_ERRORS,
        nodes=[*nodes.way_through(manifest), *nodes.way_of_failure(manifest, after="report")],
        links=[*_common_links(), link("execute", "output"), link("again", "report", "no")],
    )


def _with_undo(manifest: TdeManifest, undo_job_type: str) -> Process:
    kept = "Whoever calls it may also set tdeKeep to false: then what was done is undone at once."
    return Process(
        id=process_id(manifest.name),
        name=f"TDE {manifest.name}",
        documentation=f"{_about(manifest)} {kept}",
        errors=_ERRORS,
        nodes=[
            *nodes.way_through(manifest),
            *nodes.way_of_failure(manifest, after="ended"),
            *nodes.compensation(manifest, undo_job_type),
        ],
        links=[
            *_common_links(),
            link("execute", "keep"),
            link("keep", "output", "yes"),
            link("keep", "undo-it", "no", condition=nodes.not_to_be_kept(manifest)),
            link("again", "ended", "no"),
            link("undo-it", "undone"),
            link("undone", "ended"),
            link("ended", "report"),
            link("compensate", "undo", kind="association", attributes={"associationDirection": "One"}),
        ],
    )


def _common_links() -> list[Link]:
    return [
        link("input", "begin"),
        link("begin", "execute"),
        link("late", "not-done"),
        link("failed", "not-done"),
        link("not-done", "again"),
        link("again", "wait", "yes", condition=nodes.ANOTHER_ROUND),
        link("report", "give-up", "throw"),
        link("report", "reported", "report", condition=nodes.TO_BE_REPORTED),
        link("wait", "begin"),
        link("note", "execute", kind="association", attributes={"associationDirection": "None"}),
    ]


def _about(manifest: TdeManifest) -> str:
    limit = nodes.longest_round(manifest)
    return (
        f"{manifest.description}. Whoever calls it may set tdeRounds (how many rounds at most, 1 unless set; a round is"
        f" one job with all its attempts), tdeTimeLimit (how long a round may take, {limit} unless set) and tdeBackoff"
        f" (the wait after the first round, {nodes.BACKOFF} unless set, twice as long after each further one); times"
        f" are ISO 8601. The caller can catch {FAILED}, {TIMEOUT} and what the TDE throws itself. Where the caller sets"
        f" tdeReport to true, this process throws nothing of its own: it ends, and {nodes.ERROR_CODE} and"
        f" {nodes.ERROR_MESSAGE} say what went wrong; {nodes.ERROR_CODE} is null where all is well."
    )
