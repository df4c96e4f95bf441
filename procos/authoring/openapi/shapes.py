"""What a schema is about: whether it may be null, which fields an object has once allOf is put together."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from procos.authoring.openapi.document import Node

_SAYS_NOTHING: Final = frozenset(
    {
        "description", "title", "nullable", "example", "examples", "default", "deprecated", "readOnly", "writeOnly",
        "externalDocs", "xml", "$comment", "$id", "$schema", "discriminator", "$anchor",
    }
)  # fmt: skip
_OF_OBJECTS: Final = ("properties", "additionalProperties", "required", "patternProperties", "propertyNames")
_OF_ARRAYS: Final = ("items", "prefixItems", "minItems", "maxItems", "uniqueItems")


@dataclass(frozen=True)
class Shape:
    """An object's fields, those of all its allOf parts; `extra` is its additionalProperties."""

    properties: dict[str, Node] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    extra: Node | None = None

    def with_part(self, part: "Shape") -> "Shape":
        """This shape and `part`, as allOf means it; a part that is closed does not close the whole."""
        extra = part.extra if self.extra is None or self.extra.value is False else self.extra
        return Shape({**self.properties, **part.properties}, self.required | part.required, extra)


def kinds(schema: Node) -> tuple[str, ...]:
    """The types that a schema names, or implies by its other fields; null left out, empty where it may be anything."""
    value = schema.mapping()
    named = value.get("type")
    if isinstance(named, str):
        return (named,) if named != "null" else ()
    if isinstance(named, list):
        return tuple(str(kind) for kind in named if kind != "null")
    if any(key in value for key in _OF_OBJECTS):
        return ("object",)
    return ("array",) if any(key in value for key in _OF_ARRAYS) else ()


def is_null(schema: Node) -> bool:
    """Whether the schema takes null and nothing else."""
    return isinstance(schema.value, dict) and schema.value.get("type") in ("null", ["null"])


def is_nullable(schema: Node, seen: frozenset[str] = frozenset()) -> bool:
    """Whether the schema takes null, by 3.0's `nullable` or one of 3.1's ways."""
    if not isinstance(schema.value, dict) or schema.pointer in seen:
        return False
    seen |= {schema.pointer}
    value: dict[str, Any] = schema.value
    named = value.get("type")
    if value.get("nullable") is True or named == "null" or (isinstance(named, list) and "null" in named):
        return True
    if "$ref" in value:
        return is_nullable(schema.resolved(), seen)
    if isinstance(value.get("enum"), list) and None in value["enum"] and named is None:
        return True
    parts = schema.elements("allOf")
    if len(parts) == 1 and not speaks(schema.without("allOf")):
        return is_nullable(parts[0], seen)
    return any(is_nullable(member, seen) for member in (*schema.elements("oneOf"), *schema.elements("anyOf")))


def speaks(schema: Node) -> bool:
    """Whether a schema says anything about values, or only describes."""
    return isinstance(schema.value, dict) and not _SAYS_NOTHING.issuperset(schema.value)


def object_shape(schema: Node, seen: frozenset[str] = frozenset()) -> Shape | None:
    """The fields of an object, from allOf too; None where the schema is not (only) an object.

    A schema that is part of itself counts once.
    """
    node = schema.resolved()
    if not isinstance(node.value, dict):
        return None
    if node.pointer in seen:
        return Shape()
    if "oneOf" in node.value or "anyOf" in node.value or "enum" in node.value or "const" in node.value:
        return None
    parts = [part for part in node.elements("allOf") if speaks(part)]
    if kinds(node) != ("object",) and (kinds(node) or not parts):
        return None
    shape = Shape()
    for part in parts:
        inner = object_shape(part, seen | {node.pointer})
        if inner is None:
            return None
        shape = shape.with_part(replace(inner, extra=_open(inner.extra)))
    required = frozenset(str(name.value) for name in node.elements("required"))
    return shape.with_part(Shape(node.fields("properties"), required, node.get("additionalProperties")))


def _open(extra: Node | None) -> Node | None:
    return None if extra is not None and extra.value is False else extra


def discriminated(root: Node) -> dict[str, dict[str, list[str]]]:
    """For each schema that a discriminator tells apart: the field that does, and the values that mean this schema."""
    found: dict[str, dict[str, list[str]]] = {}
    for node in _all_objects(root):
        value = node.value
        members = value.get("oneOf") or value.get("anyOf")
        if not isinstance(value.get("discriminator"), dict) or not isinstance(members, list):
            continue
        field_name = value["discriminator"].get("propertyName")
        mapping = value["discriminator"].get("mapping") or {}
        for member in members:
            pointer = member.get("$ref") if isinstance(member, dict) else None
            if isinstance(pointer, str) and isinstance(field_name, str) and isinstance(mapping, dict):
                values = found.setdefault(pointer, {}).setdefault(field_name, [])
                values += [name for name in _values_of(pointer, mapping) if name not in values]
    return found


def _values_of(pointer: str, mapping: dict[str, Any]) -> Iterable[str]:
    name = pointer.rpartition("/")[2]
    mapped = [value for value, target in mapping.items() if target in (pointer, name)]
    return mapped or [name]


def _all_objects(root: Node) -> Iterator[Node]:
    waiting, seen = [root.value], set[int]()
    while waiting:
        value = waiting.pop()
        if not isinstance(value, dict | list) or id(value) in seen:
            continue
        seen.add(id(value))
        waiting += value.values() if isinstance(value, dict) else value
        if isinstance(value, dict):
            yield replace(root, value=value)
