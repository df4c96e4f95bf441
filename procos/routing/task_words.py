"""A task in words: what the search and a chat model read of it."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from procos.model.task import Task

LONGEST_NAME: Final = 1_000
LONGEST_DOCUMENTATION: Final = 4_000
"""Characters that are read; what a task is about stands at the top, and nobody fills a model's context from here."""

_MADE_BY_MODELER: Final = re.compile(r"([A-Za-z]+_)[0-9a-z]{6,8}|", re.ASCII)
_GENERIC_TYPE: Final = "procos.task"
_BY_PLACE: Final = "element:"
_UNSEEN: Final = {"Cc": " ", "Cs": "\ufffd", "Co": "\ufffd"}
_STEERS_READING: Final = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")


@dataclass(frozen=True, slots=True)
class TaskWords:
    """`text` is what to search by, empty where the task says nothing; `key` tells it from tasks in other words.

    `is_cut` where the documentation goes on beyond what is read.
    """

    name: str
    documentation: str
    text: str
    key: str
    is_cut: bool


def words_of(task: Task) -> TaskWords:
    """The words of a task; one with neither name nor documentation is known by its place in its process."""
    name = clean(task.name[:LONGEST_NAME])
    documentation = clean(task.documentation[:LONGEST_DOCUMENTATION])
    text = "\n".join(filter(None, [name, documentation])) or _from_ids(task)
    key = text or f"{_BY_PLACE}{task.process_definition_id}/{task.element_id}"
    is_cut = len(task.name) > LONGEST_NAME or len(task.documentation) > LONGEST_DOCUMENTATION
    return TaskWords(name, documentation, text, key, is_cut)


def same_key(text: str) -> str:
    """`text` as it is compared with others: case and white space do not count."""
    return " ".join(text.casefold().split())


def is_place(text: str) -> bool:
    """Whether an example's text is a place in a process, which says nothing of other tasks."""
    return text.startswith(_BY_PLACE)


def clean(text: str) -> str:
    """`text` without what no reader sees: control characters, lone surrogates, marks that reorder or hide letters."""
    seen = _STEERS_READING.sub("", unicodedata.normalize("NFC", text))
    plain = (it if it in "\n\t" else _UNSEEN.get(unicodedata.category(it), it) for it in seen)
    lines = (" ".join(line.split()) for line in "".join(plain).splitlines())
    return "\n".join(filter(None, lines))


def _from_ids(task: Task) -> str:
    """What the ids say: `send-invoice` is words, `Activity_0x3k9ab` is not."""
    ids = [] if _MADE_BY_MODELER.fullmatch(task.element_id) else [task.element_id]
    if task.job_type not in {"", _GENERIC_TYPE}:
        ids.append(task.job_type)
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\W_]+", " ", " ".join(ids))
    return clean(words)
