"""FEEL, Zeebe's expression language, written: names, paths, text, and which names a mapping can carry."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

_MAPPABLE: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_RESERVED: Final = frozenset({
    "and", "between", "date", "duration", "else", "every", "external", "false", "for", "function", "get", "if",
    "in", "instance", "not", "null", "of", "or", "return", "satisfies", "some", "then", "time", "true",
})  # fmt: skip


def name(variable: str) -> str:
    """`variable` as FEEL reads it; a word that FEEL keeps for itself stands between backticks."""
    return f"`{variable}`" if variable in _RESERVED or not _MAPPABLE.fullmatch(variable) else variable


def path(context: str, entry: str) -> str:
    """The entry `entry` of the context in the variable `context`."""
    return f"{name(context)}.{name(entry)}"


def text(value: str) -> str:
    """A text literal."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def duration(value: timedelta) -> str:
    """`value` in the ISO 8601 form that people would write: PT15M, P1DT2H, PT0.5S."""
    seconds = value.total_seconds()
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    date = f"{days:g}D" if days else ""
    time = "".join(f"{amount:.10g}{unit}" for amount, unit in ((hours, "H"), (minutes, "M"), (rest, "S")) if amount)
    return f"P{date}T{time}" if time else f"P{date or 'T0S'}"


def is_mappable(variable: str) -> bool:
    """Whether an input or output mapping may write to a variable of that name."""
    return _MAPPABLE.fullmatch(variable) is not None


def mappable(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields of an object's JSON Schema, if mappings can carry all of them; none where more or others may come."""
    names: Iterable[str] = schema.get("properties", {})
    whole = not schema.get("additionalProperties") and all(is_mappable(it) for it in names)
    return tuple(names) if whole else ()
