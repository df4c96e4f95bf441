"""Schemas of single values: their types by format, their limits, and values as Python writes them."""

import functools
from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter
from pydantic_core import SchemaError

from procos.authoring.openapi.code import quoted
from procos.authoring.openapi.declarations import Constraint, TypeText
from procos.authoring.openapi.document import Node

_BY_FORMAT: Final = {"date-time": "datetime", "date": "date", "uuid": "UUID"}
_BY_TYPE: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}


def scalar(kind: str, schema: Node) -> TypeText:
    """The type for `string`, `integer`, `number` or `boolean`.

    Raises:
        UsageError: there is no such type in OpenAPI.
    """
    if kind not in _BY_TYPE:
        raise schema.wrong("a type of OpenAPI (string, integer, number, boolean, array, object)")
    text = _BY_FORMAT.get(schema.text("format")) if kind == "string" else None
    return TypeText(text=text, imports=frozenset({text})) if text else TypeText(text=_BY_TYPE[kind])


def constraints_of(kind: str, schema: Node, note: Callable[[str], None]) -> tuple[Constraint, ...]:
    """The limits that pydantic checks, as arguments of Field; `note` hears of a pattern that it cannot."""
    if kind == "string" and schema.text("format") in _BY_FORMAT:
        return ()
    named = {"string": ("minLength", "maxLength"), "array": ("minItems", "maxItems")}.get(kind)
    if named:
        limits = [(name, schema.value.get(key)) for name, key in zip(("min_length", "max_length"), named, strict=True)]
        return (*_written(limits), *_pattern(kind, schema, note))
    return _written(_bounds(schema)) if kind in {"integer", "number"} else ()


def _bounds(schema: Node) -> list[tuple[str, Any]]:
    bounds = []
    for inclusive, exclusive, key, over in (
        ("ge", "gt", "minimum", "exclusiveMinimum"),
        ("le", "lt", "maximum", "exclusiveMaximum"),
    ):
        is_exclusive = schema.value.get(over) is True  # 3.0; in 3.1 it is the limit itself
        bounds.append((exclusive if is_exclusive else inclusive, schema.value.get(key)))
        bounds.append((exclusive, schema.value.get(over)))
    return bounds


def _written(limits: list[tuple[str, Any]]) -> tuple[Constraint, ...]:
    return tuple(
        (name, repr(limit)) for name, limit in limits if isinstance(limit, int | float) and not isinstance(limit, bool)
    )


def _pattern(kind: str, schema: Node, note: Callable[[str], None]) -> tuple[Constraint, ...]:
    pattern = schema.value.get("pattern")
    if kind != "string" or not isinstance(pattern, str):
        return ()
    if not _is_checkable(pattern):
        note(f"{schema.pointer}: the pattern {quoted(pattern)} is not checked; it is not one for pydantic")
        return ()
    raw = f'r"{pattern}"'
    is_plain = '"' not in pattern and pattern.isprintable() and not pattern.endswith("\\")
    return (("pattern", raw if is_plain and "\\" in pattern else quoted(pattern)),)


@functools.cache
def _is_checkable(pattern: str) -> bool:
    try:
        TypeAdapter(Annotated[str, Field(pattern=pattern)])
    except SchemaError:
        return False
    return True


def literal(value: Any, *, as_text: bool = False) -> str | None:  # noqa: ANN401 - any JSON value
    """`value` as it stands inside Literal[…], None where it cannot; `as_text` for what a schema calls a string."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return quoted(str(value).lower()) if as_text else str(value)
    if isinstance(value, int):
        return quoted(str(value)) if as_text else str(value)
    return quoted(str(value)) if as_text and isinstance(value, float) else None
