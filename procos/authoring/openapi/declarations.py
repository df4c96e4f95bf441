"""What is going to be declared in the generated package: types, classes, aliases."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from procos.authoring.openapi.code import Call, Value, quoted

Constraint = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class TypeText:
    """A type as it is written; `text` leaves out that it may be null, and what `constraints` say.

    `names` are the declarations that it needs, `imports` what it needs of other modules.
    """

    text: str
    names: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    constraints: tuple[Constraint, ...] = ()
    is_nullable: bool = False

    @property
    def full(self) -> str:
        """The whole type in one text, for the inside of a list or a union."""
        text = self.text
        if self.constraints:
            inside = ", ".join(f"{name}={value}" for name, value in self.constraints)
            text = f"Annotated[{text}, Field({inside})]"
        return f"{text} | None" if self.is_nullable else text

    @property
    def all_imports(self) -> frozenset[str]:
        """What `full` needs of other modules."""
        return self.imports | ({"Annotated", "Field"} if self.constraints else frozenset())

    def or_null(self, *, is_nullable: bool = True) -> "TypeText":
        """This type, and null."""
        return replace(self, is_nullable=self.is_nullable or is_nullable)


ANYTHING = TypeText(text="JsonValue", imports=frozenset({"JsonValue"}))


def listed(item: TypeText) -> TypeText:
    """A list of `item`."""
    return TypeText(text=f"list[{item.full}]", names=item.names, imports=item.all_imports)


def mapped(value: TypeText) -> TypeText:
    """An object whose values are `value`."""
    return TypeText(text=f"dict[str, {value.full}]", names=value.names, imports=value.all_imports)


def joined(members: Iterable[TypeText]) -> TypeText:
    """Any of the `members`."""
    different = {member.text if not member.constraints else replace(member, is_nullable=False).full: member
                 for member in members}  # fmt: skip
    if len(different) == 1:
        (only,) = different.values()
        return only
    if not different:
        return TypeText(text="None")
    if "float" in different and "int" in different:
        del different["int"]  # a type checker takes an int for a float
    everything = tuple(different.values())
    return TypeText(
        text=" | ".join(different),
        names=frozenset().union(*(member.names for member in everything)),
        imports=frozenset().union(*(member.all_imports for member in everything)),
        is_nullable=any(member.is_nullable for member in everything),
    )


@dataclass(frozen=True, kw_only=True)
class FieldOfClass:
    """One field; `alias` is the name that it has outside, where that is another one."""

    name: str
    alias: str | None
    type: TypeText
    is_required: bool
    description: str = ""

    @property
    def annotation(self) -> str:
        """The annotation, without quotes."""
        text = self.type.text
        if self.is_required:
            return f"{text} | None" if self.type.is_nullable else text
        return f"Nullable[{text}]" if self.type.is_nullable else f"{text} | None"

    @property
    def value(self) -> Value | None:
        """What stands right of the `=`, None where nothing needs to."""
        arguments = [] if self.is_required else [("default", "None")]
        if self.alias is not None:
            arguments.append(("alias", quoted(self.alias)))
        arguments += self.type.constraints
        if self.description:
            arguments.append(("description", quoted(self.description)))
        if arguments == [("default", "None")]:
            return "None"
        return Call("Field", arguments) if arguments else None

    @property
    def imports(self) -> frozenset[str]:
        """What the field needs of other modules."""
        needed = {"Field"} if isinstance(self.value, Call) else set()
        if not self.is_required and self.type.is_nullable:
            needed.add("Nullable")
        return self.type.imports | needed


@dataclass(frozen=True, kw_only=True)
class ClassOfObject:
    """A pydantic model; `extra` is the type of fields that are not named, "forbid", or None for the base's rule."""

    name: str
    base: str
    description: str
    fields: tuple[FieldOfClass, ...]
    extra: TypeText | str | None = None

    @property
    def needs(self) -> frozenset[str]:
        """The declarations that it mentions."""
        extra = self.extra.names if isinstance(self.extra, TypeText) else frozenset()
        return extra.union(*(field.type.names for field in self.fields))

    @property
    def imports(self) -> frozenset[str]:
        """What it needs of other modules."""
        extra: frozenset[str] = frozenset()
        if self.extra == "forbid":
            extra = frozenset({"ConfigDict"})
        elif isinstance(self.extra, TypeText):
            extra = self.extra.all_imports
        return extra.union({self.base}, *(field.imports for field in self.fields))


@dataclass(frozen=True, kw_only=True)
class Alias:
    """A name for a type."""

    name: str
    type: TypeText
    description: str = ""
    literals: tuple[str, ...] = field(default=())
    """The values, where the type is one of a few."""

    @property
    def needs(self) -> frozenset[str]:
        """The declarations that it mentions."""
        return self.type.names

    @property
    def imports(self) -> frozenset[str]:
        """What it needs of other modules."""
        return self.type.all_imports


Declaration = ClassOfObject | Alias
