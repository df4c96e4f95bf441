"""Stage 1: what the task itself says."""

from collections.abc import Collection
from typing import Final

from procos.model.routing import Candidate
from procos.model.task import TDE_HEADER, Task
from procos.routing.catalogue import Catalogue
from procos.routing.task_words import clean
from procos.routing.verdict import Verdict

TEMPLATE_HEADER: Final = "modelerTemplate"
"""The id of the element template that Modeler made the task with."""

_TEMPLATE_PREFIX: Final = "procos.tde."
_TYPE_PREFIX: Final = "tde."
_LONGEST_SHOWN: Final = 80


def ask_task(task: Task, catalogue: Catalogue, away: Collection[str]) -> Verdict:
    """The TDE that the task names; a person is asked where it cannot have that one, since another would be a guess."""
    claim = _claim(task, catalogue)
    if claim is None:
        return Verdict(stage="task", reason="task: it names no TDE")
    said, name = claim
    if catalogue.get(name) is None:
        return _unknown(said, name, catalogue)
    if name in away:
        reason = f"task: {said} '{name}', which has failed at it; another one would be a guess"
        return Verdict(stage="task", asks_person=True, reason=reason)
    return Verdict(stage="task", tde=name, confidence=1.0, reason=f"task: {said} '{name}'")


def _claim(task: Task, catalogue: Catalogue) -> tuple[str, str] | None:
    """How the task names a TDE, and which: the plainest way counts."""
    if name := task.headers.get(TDE_HEADER, "").strip():
        return f"its header {TDE_HEADER} names", name
    template = task.headers.get(TEMPLATE_HEADER, "").strip()
    if template.startswith(_TEMPLATE_PREFIX):
        return "its element template is that of", template.removeprefix(_TEMPLATE_PREFIX)
    if (tde := catalogue.of_job_type(task.job_type)) is not None:
        return "its job type is that of", tde.entry.name
    if task.job_type.startswith(_TYPE_PREFIX):
        return "its job type names", task.job_type.removeprefix(_TYPE_PREFIX)
    return None


def _unknown(said: str, name: str, catalogue: Catalogue) -> Verdict:
    near = catalogue.near(name)
    shown = clean(name[:_LONGEST_SHOWN]) + ("…" if len(name) > _LONGEST_SHOWN else "")
    meant = f"; near are {', '.join(repr(it) for it in near)}" if near else ""
    return Verdict(
        stage="task",
        asks_person=True,
        reason=f"task: {said} '{shown}', but no TDE of that name is registered{meant}",
        candidates=tuple(Candidate(tde=it, confidence=0, reason="written almost like that") for it in near),
    )
