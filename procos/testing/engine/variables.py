"""Variables on their way in and out of an element."""

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from procos.errors import EngineRejected
from procos.testing.bpmn.model import VariableMapping
from procos.testing.engine.state import ElementInstance

LARGEST_MESSAGE: Final = 4 * 1024**2
"""Bytes; the gateway takes no larger request."""
LARGEST_RECORD: Final = 2 * 1024**2
"""Bytes; the broker writes variables twice into one batch of 4 MiB, once in the command and once in what follows."""


def as_json(variables: Mapping[str, Any] | None, doing: str) -> dict[str, Any]:
    """The variables as they arrive at the engine: a copy, of JSON values only.

    Raises:
        EngineRejected: they are not JSON, or too large.
        TypeError: they are of a type that no JSON writer takes, as with a real engine's client.
    """
    try:
        text = json.dumps(dict(variables or {}), allow_nan=False)
    except ValueError as error:
        raise EngineRejected(
            f"cannot {doing}: Invalid JSON value: {error}", reason=f"Invalid JSON value: {error}"
        ) from None
    size = len(text)
    if size > LARGEST_RECORD:
        reason = "Command rejected with code 'EXCEEDED_BATCH_RECORD_SIZE'"
        if size > LARGEST_MESSAGE:
            reason = f"gRPC message exceeds maximum size {LARGEST_MESSAGE}: {size}"
        raise EngineRejected(
            f"cannot {doing}: the message is larger than the engine takes (4 MiB): {reason}",
            reason=reason,
            hint="keep large data in a file or store, and pass its address in the variable",
        )
    read: dict[str, Any] = json.loads(text)
    return read


def apply_inputs(instance: ElementInstance, mappings: Sequence[VariableMapping]) -> None:
    """Makes local variables; each mapping sees what those before it made."""
    for mapping in mappings:
        value = mapping.source.value(instance.visible())
        _put(instance.variables, mapping.target, value)


def outputs_of(instance: ElementInstance, mappings: Sequence[VariableMapping]) -> dict[str, Any]:
    """What the mappings give to the scope around; a part of a variable leaves its other parts as they are."""
    seen, given = instance.visible(), dict[str, Any]()
    for mapping in mappings:
        name, *rest = mapping.target
        if rest and name not in given and isinstance(seen.get(name), dict):
            given[name] = copy.deepcopy(seen[name])
        _put(given, mapping.target, mapping.source.value(seen | given))
    return given


def _put(variables: dict[str, Any], path: Sequence[str], value: Any) -> None:  # noqa: ANN401 - any JSON value
    *outer, last = path
    for name in outer:
        inner = variables.get(name)
        if not isinstance(inner, dict):
            inner = variables[name] = {}
        variables = inner
    variables[last] = value
