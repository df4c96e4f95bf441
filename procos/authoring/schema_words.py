"""JSON Schema in words: what kind of value a field takes, as a person would say it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Schema = Mapping[str, Any]

_FORMATS: Final = {
    "path": "path",
    "duration": "duration",
    "password": "secret text",
    "date-time": "date and time (ISO 8601)",
    "date": "date (ISO 8601)",
    "email": "e-mail address",
    "uri": "URL",
}
_KINDS: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "boolean",
    "object": "object",
    "null": "null",
}
_LIMITS: Final = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_ANY: Final = "any JSON"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object; `kind` in words, `default` as JSON, None where there is none."""

    name: str
    kind: str
    required: bool
    nullable: bool
    default: Any
    description: str
    schema: Schema


def fields_of(schema: Schema, root: Schema | None = None) -> list[Field]:
    """The fields of an object's schema; `root` holds the definitions where `schema` is one of them."""
    root = schema if root is None else root
    required = schema.get("required", ())
    return [_field(name, it, root, required=name in required) for name, it in schema.get("properties", {}).items()]


def _field(name: str, schema: Schema, root: Schema, *, required: bool) -> Field:
    return Field(
        name=name,
        kind=kind_of(schema, root),
        required=required,
        nullable=takes_null(schema, root),
        default=schema.get("default"),
        description=str(schema.get("description", "")),
        schema=schema,
    )


def kind_of(schema: Schema, root: Schema, *, code: str = "", within: frozenset[str] = frozenset()) -> str:
    """What a value is, in words; names and values stand between `code`, such as backticks. Null goes without saying.

    `within` are the names that this is a part of already: a type that holds itself is named there, not described again.
    """
    if "$ref" in schema:
        name, inner = _referred(schema, root)
        is_named = "properties" in inner or name in within
        return f"{code}{name}{code}" if is_named else kind_of(inner, root, code=code, within=within | {name})
    if "anyOf" in schema or "oneOf" in schema:
        return _one_of([*schema.get("anyOf", ()), *schema.get("oneOf", ())], root, code, within)
    if "enum" in schema or "const" in schema:
        return _constants(schema.get("enum", [schema.get("const")]), code)
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}), root, code=code, within=within)}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {kind_of(schema['additionalProperties'], root, code=code, within=within)}"
    kind = _FORMATS.get(schema.get("format", "")) or _KINDS.get(schema.get("type", ""), _ANY)
    return ", ".join([kind, *(f"{sign} {schema[word]}" for word, sign in _LIMITS.items() if word in schema)])


def default_of(value: object, *, code: str = "") -> str:
    """A default in words; values stand between `code`."""
    if isinstance(value, bool):
        return f"{code}{str(value).lower()}{code}"
    if isinstance(value, list):
        return ", ".join(f"{code}{item}{code}" for item in value) or "none"
    return "" if value in (None, {}) else f"{code}{value}{code}"


def takes_null(schema: Schema, root: Schema) -> bool:
    """Whether null is a value that the schema allows."""
    if "$ref" in schema:
        return takes_null(_referred(schema, root)[1], root)
    branches = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if branches:
        return any(takes_null(branch, root) for branch in branches)
    if "enum" in schema or "const" in schema:
        return None in schema.get("enum", [schema.get("const")])
    return "type" not in schema or schema["type"] == "null"


def _referred(schema: Schema, root: Schema) -> tuple[str, Schema]:
    name = str(schema["$ref"]).rpartition("/")[2]
    return name, root["$defs"][name]


def _constants(values: Iterable[object], code: str) -> str:
    shown = [f"{code}{value}{code}" for value in values if value is not None]
    return f"one of {', '.join(shown)}" if len(shown) > 1 else "".join(shown)


def _one_of(branches: Iterable[Schema], root: Schema, code: str, within: frozenset[str]) -> str:
    real = [branch for branch in branches if branch.get("type") != "null"]
    kinds = dict.fromkeys(kind_of(branch, root, code=code, within=within) for branch in real)
    if "number" in kinds and "whole number" in kinds:
        del kinds["whole number"]
    return f"({' or '.join(kinds)})" if len(kinds) > 1 else "".join(kinds) or "null"
