"""What JSON Schema says of a field, as far as the router asks: its JSON types, its format, its constants."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Schema = Mapping[str, Any]

_DEEPEST: Final = 8
_JSON_TYPES: Final = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string"}


@dataclass(frozen=True, slots=True)
class FieldKind:
    """`types` are JSON types, empty where any will do; `constants` are what an enum allows, empty where there is none.

    `is_free` where no pattern narrows a text down.
    """

    types: frozenset[str]
    formats: frozenset[str]
    constants: tuple[Any, ...]
    is_secret: bool
    is_free: bool
    longest: int | None

    def takes(self, json_type: str) -> bool:
        """Whether a value of that JSON type may be one."""
        return not self.types or json_type in self.types or (json_type == "integer" and "number" in self.types)

    @property
    def is_text(self) -> bool:
        """Whether it takes texts, and besides at most null."""
        return bool(self.types) and self.types <= {"string", "null"} and "string" in self.types

    @property
    def is_number(self) -> bool:
        """Whether it takes numbers, and besides at most null."""
        return bool(self.types & {"integer", "number"}) and self.types <= {"integer", "number", "null"}


def kind_of(schema: object, root: Schema) -> FieldKind:
    """What a field of the object `root` is; a schema may be just `true`."""
    own: Schema = schema if isinstance(schema, Mapping) else {}
    branches = _branches(own, root, _DEEPEST)
    is_open = any(not _types(it) for it in branches)
    return FieldKind(
        types=frozenset() if is_open else frozenset(name for it in branches for name in _types(it)),
        formats=frozenset(str(it["format"]) for it in branches if "format" in it),
        constants=tuple(value for it in branches for value in _constants(it)),
        is_secret=any(it.get("writeOnly") or it.get("format") == "password" for it in (own, *branches)),
        is_free=not any("pattern" in it for it in branches),
        longest=min((it["maxLength"] for it in branches if isinstance(it.get("maxLength"), int)), default=None),
    )


def json_type_of(value: object) -> str:
    """The JSON type of a value."""
    plain = _JSON_TYPES.get(type(value))
    return plain or ("object" if isinstance(value, Mapping) else "array")


def _branches(schema: Any, root: Schema, depth: int) -> list[Schema]:  # noqa: ANN401 - a schema may be `true`
    """What a value may be, one schema each: references are followed, alternatives listed."""
    if not isinstance(schema, Mapping) or depth == 0:
        return [{}]
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return _branches(root.get("$defs", {}).get(name, {}), root, depth - 1)
    several = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    return [leaf for it in several for leaf in _branches(it, root, depth - 1)] or [schema]


def _types(schema: Schema) -> list[str]:
    said = schema.get("type", [])
    if said:
        return [said] if isinstance(said, str) else list(said)
    return [json_type_of(value) for value in _constants(schema)]


def _constants(schema: Schema) -> list[Any]:
    return list(schema["enum"]) if "enum" in schema else [schema["const"]] if "const" in schema else []
