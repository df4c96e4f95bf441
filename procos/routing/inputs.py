"""A TDE's inputs, filled from the task's variables and, where there is no doubt, from its text."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from procos.routing.schema_kinds import Schema, json_type_of, kind_of
from procos.routing.task_words import clean
from procos.routing.text_values import values_in

PREFIX = "inputs: "
"""Begins the reasons that belong to one task, and not to all of its kind."""


@dataclass(frozen=True, slots=True)
class FilledInputs:
    """`missing` are required inputs that were found nowhere; reasons name what came from where, and no values."""

    inputs: Mapping[str, Any]
    missing: tuple[str, ...]
    reasons: tuple[str, ...]


def fill_inputs(schema: Schema, variables: Mapping[str, Any], text: str) -> FilledInputs:
    """The inputs by the JSON Schema of the TDE's input.

    A variable of an input's name is that input, whatever it holds: the TDE says what is wrong with it. One whose name
    differs in case, hyphens or underscores has to be the only one, and of the right type. From the text only what is
    required is taken, and only what can be no other input.
    """
    sources = variables_for(schema, variables)
    inputs = {name: variables[source] for name, source in sources.items()}
    reasons = _named(sources)
    open_fields = {
        name: kind_of(schema.get("properties", {}).get(name, {}), schema)
        for name in schema.get("required", ())
        if name not in inputs
    }
    for name, value, what in values_in(text, open_fields) if open_fields else ():
        inputs[name] = value
        reasons.append(f"{PREFIX}{name} is {what} in the task's text")
    if schema.get("additionalProperties") is True:
        used = set(sources.values())
        inputs |= {name: value for name, value in variables.items() if name not in used and name not in inputs}
    missing = tuple(name for name in open_fields if name not in inputs)
    if missing:
        reasons.append(f"{PREFIX}missing: {', '.join(missing)}")
    return FilledInputs(inputs, missing, tuple(reasons))


def variables_for(schema: Schema, variables: Mapping[str, Any]) -> dict[str, str]:
    """The variable for each input that has one, by names and JSON types alone.

    Null is no value for an input that does not take it: the engine gives it to whatever a mapping did not find.
    """
    properties = schema.get("properties", {})
    kinds = {name: kind_of(it, schema) for name, it in properties.items()}
    found = {
        name: name
        for name, kind in kinds.items()
        if name in variables and (variables[name] is not None or kind.takes("null"))
    }
    alike: dict[str, list[str]] = {}
    for name in variables:
        if name not in properties:
            alike.setdefault(_letters(name), []).append(name)
    shared = Counter(map(_letters, properties))
    for name, kind in kinds.items():
        sources = alike.get(_letters(name), [])
        is_clear = len(sources) == 1 and shared[_letters(name)] == 1 and name not in found
        if is_clear and variables[sources[0]] is not None and kind.takes(json_type_of(variables[sources[0]])):
            found[name] = sources[0]
    return found


def _named(sources: Mapping[str, str]) -> list[str]:
    same = [name for name, source in sources.items() if name == source]
    reasons = [f"{PREFIX}{', '.join(same)} from variables of the same name"] if same else []
    other = [f"{name} from the variable {clean(source)}" for name, source in sources.items() if name != source]
    return [*reasons, *(f"{PREFIX}{it}" for it in other)]


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()
