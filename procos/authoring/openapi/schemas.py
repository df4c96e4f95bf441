"""Schemas become types: named ones and objects are declared, once each, the rest is written where it is used."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from procos.authoring.openapi.code import one_line, quoted
from procos.authoring.openapi.declarations import (
    ANYTHING,
    Alias,
    ClassOfObject,
    Declaration,
    FieldOfClass,
    TypeText,
    joined,
    listed,
    mapped,
)
from procos.authoring.openapi.document import Node
from procos.authoring.openapi.names import class_name, names_of_classes, names_of_fields, variable_name
from procos.authoring.openapi.scalars import constraints_of, literal, scalar
from procos.authoring.openapi.shapes import (
    Shape,
    discriminated,
    is_null,
    is_nullable,
    kinds,
    object_shape,
    speaks,
)

_LONGEST_INLINE: Final = 50
_NOT_CHECKED: Final = ("not", "if", "dependentRequired", "dependentSchemas", "contains", "patternProperties")


class Schemas:
    """The types of one document; `note` hears what is lost.

    `declarations` has all that was asked for, and all that this needs, once it is `complete`.
    """

    def __init__(self, root: Node, note: Callable[[str], None]) -> None:
        self.names = names_of_classes()
        self.declarations: dict[str, Declaration] = {}
        self._named: dict[str, str] = {}
        self._waiting: deque[tuple[str, Node]] = deque()
        self._tags = discriminated(root)
        self._note = note

    def type_of(self, schema: Node, hint: str) -> TypeText:
        """The type of a schema; `hint` names it, should it need a declaration of its own."""
        if not isinstance(schema.value, dict):
            if not isinstance(schema.value, bool):
                raise schema.wrong("a schema")
            return ANYTHING
        if "$ref" in schema.value:
            target = schema.resolved()
            return self._reference(target, schema.flag("nullable"))
        found = self._inline(schema, hint)
        return found.or_null(is_nullable=is_nullable(schema)) if found != ANYTHING else found

    def complete(self) -> None:
        """Declares what was only mentioned so far: not at once, as schemas may lead to each other in long chains."""
        while self._waiting:
            name, target = self._waiting.popleft()
            shape = object_shape(target)
            if shape is not None and shape.properties:
                self._declare_class(name, target, shape)
            else:
                self._declare_alias(name, target)

    def _reference(self, target: Node, is_null_too: bool) -> TypeText:  # noqa: FBT001
        if not isinstance(target.value, dict):
            return self.type_of(target, "")
        nullable = is_nullable(target) or is_null_too
        return TypeText(
            text=self._declared(target), is_nullable=nullable, names=frozenset({self._named[target.pointer]})
        )

    def _declared(self, target: Node) -> str:
        if target.pointer not in self._named:
            name = self.names.claim(class_name(target.pointer.rpartition("/")[2].replace("~1", "/")))
            self._named[target.pointer] = name
            self._waiting.append((name, target))
        return self._named[target.pointer]

    def _declare_alias(self, name: str, target: Node) -> None:
        found = self._inline(target, name)
        description = target.text("description")
        self.declarations[name] = Alias(
            name=name,
            type=replace(found, is_nullable=False),
            description=description,
            literals=self._literals(target),
        )

    def _inline(self, schema: Node, hint: str) -> TypeText:
        """The type without its null."""
        self._note_unchecked(schema)
        if "enum" in schema.value or "const" in schema.value:
            return self._enumeration(schema, hint)
        if (same := _same_as(schema)) is not None:
            return replace(self.type_of(same, hint), is_nullable=False)
        shape = object_shape(schema)
        if shape is not None:
            return self._object(schema, shape, hint)
        if "oneOf" in schema.value or "anyOf" in schema.value:
            return self._union(schema, "oneOf" if "oneOf" in schema.value else "anyOf", hint)
        if "allOf" in schema.value:
            return self._all_of(schema, hint)
        return self._by_kind(schema, hint)

    def _note_unchecked(self, schema: Node) -> None:
        for keyword in _NOT_CHECKED:
            if schema.get(keyword) is not None:
                self._note(f"{schema.pointer}: '{keyword}' is not checked")

    def _by_kind(self, schema: Node, hint: str) -> TypeText:
        named = kinds(schema)
        if len(named) > 1:
            return joined([self._by_kind(_of_kind(schema, kind), f"{hint}{kind.capitalize()}") for kind in named])
        if named == ("array",):
            return self._array(schema, hint)
        if named == ("object",):
            return self._object(schema, object_shape(schema) or Shape(), hint)
        if not named:
            return TypeText(text="None") if is_null(schema) else ANYTHING
        return replace(scalar(named[0], schema), constraints=constraints_of(named[0], schema, self._note))

    def _array(self, schema: Node, hint: str) -> TypeText:
        if schema.get("prefixItems") is not None:
            self._note(f"{schema.pointer}: 'prefixItems' is not checked")
            return listed(ANYTHING)
        items = schema.get("items")
        item = self.type_of(items, f"{hint}Item") if items is not None else ANYTHING
        return replace(listed(item), constraints=constraints_of("array", schema, self._note))

    def _object(self, schema: Node, shape: Shape, hint: str) -> TypeText:
        if shape.properties:
            name = self._named.get(schema.pointer)
            if name is None:
                name = self.names.claim(class_name(schema.text("title")) if schema.text("title") else hint)
                self._named[schema.pointer] = name  # before its fields are read: one of them may lead here again
                self._declare_class(name, schema, shape)
            return TypeText(text=name, names=frozenset({name}))
        if shape.extra is None or isinstance(shape.extra.value, bool):
            return mapped(ANYTHING)
        return mapped(self.type_of(shape.extra, f"{hint}Value"))

    def _enumeration(self, schema: Node, hint: str) -> TypeText:
        values = self._literals(schema)
        if not values:
            base = self._by_kind(schema.without("enum", "const"), hint)
            self._note(f"{schema.pointer}: its values cannot be listed in Python; any {base.full} is taken")
            return base
        text = f"Literal[{', '.join(values)}]"
        found = TypeText(text=text, imports=frozenset({"Literal"}))
        is_component = self._named.get(schema.pointer) == hint
        return found if is_component or len(text) <= _LONGEST_INLINE else self._hoisted(found, hint, values)

    def _literals(self, schema: Node) -> tuple[str, ...]:
        value = schema.value
        if "enum" not in value and "const" not in value:
            return ()
        values = [value["const"]] if "const" in value else [node.value for node in schema.elements("enum")]
        as_text = kinds(schema) == ("string",)
        texts = [literal(one, as_text=as_text) for one in values if one is not None]
        return tuple(dict.fromkeys(text for text in texts if text is not None)) if None not in texts else ()

    def _union(self, schema: Node, keyword: str, hint: str) -> TypeText:
        members = [member for member in schema.elements(keyword) if not is_null(member)]
        rest = schema.without(keyword, "discriminator", "nullable")
        telling = [member for member in members if _tells_types(member)]
        if not telling and speaks(rest):
            self._note(f"{schema.pointer}: which fields go together ('{keyword}') is not checked")
            return self._inline(rest, hint)
        if speaks(rest) and "object" in kinds(rest):
            members = [_all_of(rest, member) for member in members]
        found = joined(self.type_of(member, f"{hint}{number}") for number, member in enumerate(members, start=1))
        is_component = self._named.get(schema.pointer) == hint
        if is_component or len(found.text) <= _LONGEST_INLINE:
            return found
        return self._hoisted(found, hint).or_null(is_nullable=found.is_nullable)

    def _all_of(self, schema: Node, hint: str) -> TypeText:
        if not any(speaks(part) for part in schema.elements("allOf")):
            return self._by_kind(schema.without("allOf"), hint)
        self._note(f"{schema.pointer}: its 'allOf' cannot be put together; anything is taken")
        return ANYTHING

    def _hoisted(self, found: TypeText, hint: str, literals: tuple[str, ...] = ()) -> TypeText:
        name = self.names.claim(hint)
        self.declarations[name] = Alias(name=name, type=replace(found, is_nullable=False), literals=literals)
        return TypeText(text=name, names=frozenset({name}))

    def _declare_class(self, name: str, schema: Node, shape: Shape) -> None:
        names = names_of_fields()
        tags = self._tags.get(schema.pointer, {})
        fields = []
        for outside in {**tags, **shape.properties}:
            field = names.claim(variable_name(outside))
            is_tag = outside in tags
            fields.append(_tag(field, outside, tags[outside]) if is_tag else self._field(name, field, outside, shape))
        extra: TypeText | str | None = None
        if shape.extra is not None and shape.extra.value is False:
            extra = "forbid"
        elif shape.extra is not None and isinstance(shape.extra.value, dict) and shape.extra.value:
            extra = self.type_of(shape.extra, f"{name}Value")
        description = one_line(schema.text("description")) or f"{name}, as the API's document describes it."
        self.declarations[name] = ClassOfObject(
            name=name, base="Model", description=description, fields=tuple(fields), extra=extra
        )

    def _field(self, owner: str, name: str, outside: str, shape: Shape) -> FieldOfClass:
        schema = shape.properties[outside]
        # Who writes does not give what the server sets, and who reads does not get what is only written.
        is_one_way = _flag(schema, "readOnly") or _flag(schema, "writeOnly")
        is_required = outside in shape.required and not is_one_way
        found = self.type_of(schema, f"{owner}{class_name(outside)}")
        return FieldOfClass(
            name=name,
            alias=outside if outside != name else None,
            type=found.or_null(is_nullable=found == ANYTHING and not is_required),
            is_required=is_required,
            description=described(schema),
        )


def _tag(name: str, outside: str, values: Sequence[str]) -> FieldOfClass:
    """The field by which a discriminator tells a class from others."""
    text = f"Literal[{', '.join(quoted(value) for value in values)}]"
    found = TypeText(text=text, imports=frozenset({"Literal"}))
    return FieldOfClass(name=name, alias=outside if outside != name else None, type=found, is_required=True)


def described(schema: Node) -> str:
    """A schema's description, and what the server assumes where nothing is given."""
    if not isinstance(schema.value, dict):
        return ""
    text = one_line(schema.text("description"))
    if "default" in schema.value and schema.value["default"] is not None:
        default = one_line(str(literal(schema.value["default"]) or schema.value["default"]))
        text = f"{text} Left out, it is {default}.".strip()
    return text


def _same_as(schema: Node) -> Node | None:
    """The one schema that this one repeats by an allOf which only adds a description, or null."""
    if "allOf" not in schema.value or speaks(schema.without("allOf")):
        return None
    parts = [part for part in schema.elements("allOf") if speaks(part)]
    return parts[0] if len(parts) == 1 else None


def _flag(schema: Node, key: str) -> bool:
    target = schema.resolved()
    return any(isinstance(node.value, dict) and node.flag(key) for node in (schema, target))


def _tells_types(schema: Node) -> bool:
    """Whether a member of a union is a type of its own, and not only a rule about which fields are required."""
    return isinstance(schema.value, dict) and not {"required", "not"}.issuperset(schema.value)


def _of_kind(schema: Node, kind: str) -> Node:
    return replace(schema, value={**schema.mapping(), "type": kind})


def _all_of(first: Node, second: Node) -> Node:
    return replace(second, value={"allOf": [first.value, second.value]}, pointer=f"{second.pointer}+")
