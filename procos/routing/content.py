"""The hash of everything that a decision depends on: the same hash, the same answer."""

import hashlib
import json
from collections.abc import Collection

from procos.model.task import Task
from procos.routing.catalogue import Catalogue
from procos.routing.examples import ExampleSet
from procos.routing.rules import RulesAnswer
from procos.routing.schema_kinds import json_type_of
from procos.routing.task_words import TaskWords

_FORM = 1
"""To be raised when the stages change, so that no decision of an older router is taken for one of this."""


def content_hash(
    task: Task,
    words: TaskWords,
    catalogue: Catalogue,
    *,
    rules: RulesAnswer,
    examples: ExampleSet,
    away: Collection[str],
    chooser: str,
    threshold: float,
) -> str:
    """The hash; of variables only names and JSON types are in it, for no stage decides by their values."""
    facts = [
        _FORM,
        words.key,
        sorted(task.headers.items()),
        task.job_type,
        sorted((name, json_type_of(value)) for name, value in task.inputs.items()),
        catalogue.hash,
        [rules.matched, rules.note, rules.tde, rules.reason],
        examples.digest,
        sorted(away),
        chooser,
        threshold,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
