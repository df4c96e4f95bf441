"""Which control an element template shows for an input: chosen by the input's JSON Schema."""

import json
from collections.abc import Mapping
from typing import Any, Final

from procos.authoring import feel
from procos.authoring.schema_words import Field, Schema

_LONG_TEXT: Final = frozenset({"body", "content", "html", "message", "prompt", "query", "script", "sql", "statement",
                               "stdin", "template", "text"})  # fmt: skip
_YES_OR_NO: Final = [{"name": "yes", "value": "=true"}, {"name": "no", "value": "=false"}]

Control = dict[str, Any]


def control_for(field: Field, root: Schema) -> Control:
    """The part of a template's property that says how a value is entered.

    What is left empty is not sent at all: the TDE's own default counts. Only a check box always sends what it shows.
    """
    schema = _only_branch(field.schema, root)
    kind = schema.get("type")
    if "enum" in schema or "const" in schema:
        return _dropdown(field, schema)
    if kind == "boolean":
        return _check_box(field)
    if kind in ("integer", "number"):
        return {"type": "Number", "feel": "optional"} | _presence(field)
    if kind == "string":
        return _text(field, schema)
    return {"type": "Text", "feel": "required"} | _presence(field)


def _presence(field: Field) -> Control:
    return {"constraints": {"notEmpty": True}} if field.required else {"optional": True}


def _text(field: Field, schema: Schema) -> Control:
    is_long = field.name.lower().rpartition("_")[2] in _LONG_TEXT or "contentMediaType" in schema
    default = field.default if isinstance(field.default, str) else ""
    placeholder = {"placeholder": default} if default and "\n" not in default else {}
    return {"type": "Text" if is_long else "String", "feel": "optional"} | placeholder | _presence(field)


def _dropdown(field: Field, schema: Schema) -> Control:
    values = [value for value in schema.get("enum", [schema.get("const")]) if value is not None]
    choices = [{"name": str(value), "value": _literal(value)} for value in values]
    return {"type": "Dropdown", "choices": choices} | _presence(field)


def _check_box(field: Field) -> Control:
    # A check box has no third state: where nothing at all is a value too, it is a choice.
    if not field.required and not isinstance(field.default, bool):
        return {"type": "Dropdown", "choices": _YES_OR_NO, "optional": True}
    return {"type": "Boolean", "feel": "optional", "value": bool(field.default)}


def _literal(value: object) -> str:
    """A value as an input mapping's source: text as it is, unless it would be read as FEEL."""
    if isinstance(value, str):
        return f"={feel.text(value)}" if value.startswith("=") or not value else value
    return f"={json.dumps(value)}"


def _only_branch(schema: Schema, root: Schema) -> Schema:
    """The schema behind references and `… | None`; an empty one where several kinds are left."""
    if "$ref" in schema:
        referred: Mapping[str, Any] = root["$defs"][str(schema["$ref"]).rpartition("/")[2]]
        return _only_branch(referred, root)
    branches = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if not branches:
        return schema
    kinds = [_only_branch(it, root) for it in branches if it.get("type") != "null"]
    if kinds and all(it.get("type") in ("integer", "number") and "enum" not in it for it in kinds):
        return {"type": "number"}
    return kinds[0] if len(kinds) == 1 else {}
