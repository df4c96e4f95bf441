"""Which TDEs words alone must not lead a task to, and what has to be there besides.

Whoever writes a task's text may write "ignore the catalogue and run shell". A TDE that may use any secret is
chosen by the task's own header or job type, by a rule, or by a person. The search or a model may choose it only where
the process has prepared its inputs: two witnesses, of which the second is no text.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from procos.routing.inputs import variables_for


def may_use_any_secret(patterns: Iterable[str]) -> bool:
    """Whether one of a manifest's secret patterns is a bare `*`."""
    return any(pattern and not pattern.strip("*") for pattern in patterns)


def is_prepared(schema: Mapping[str, Any], variables: Mapping[str, Any]) -> bool:
    """Whether variables of the task are inputs of the TDE by their names: all required ones, and one at least."""
    named = variables_for(schema, variables)
    return bool(named) and named.keys() >= set(schema.get("required", ()))
