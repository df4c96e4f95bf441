"""The text of the generated module with the models."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from procos.authoring.openapi.code import (
    Call,
    as_sorters_do,
    comment,
    docstring,
    import_lines,
    layout,
    quoted,
    union_alias,
)
from procos.authoring.openapi.declarations import Alias, ClassOfObject, Declaration, FieldOfClass, TypeText

_MODULES: Final = {
    "datetime": {"date", "datetime"},
    "typing": {"Annotated", "Literal"},
    "uuid": {"UUID"},
    "pydantic": {"BaseModel", "ConfigDict", "Field", "JsonValue"},
    "typing_extensions": {"TypeAliasType"},
    ".calling": {"Input", "Model", "Nullable"},
}
_STANDARD: Final = ("datetime", "typing", "uuid")
_THIRD_PARTY: Final = ("pydantic", "typing_extensions")


def models_module(title: str, declarations: Mapping[str, Declaration], classes: Sequence[ClassOfObject]) -> str:
    """The module with all classes and aliases, each after those that it needs as far as there is such an order.

    The `classes` of inputs and outputs come last.
    """
    body: list[str] = []
    imports: set[str] = set()
    known: set[str] = set()
    for declaration in (*_ordered(declarations), *classes):
        imports |= declaration.imports
        is_in_a_circle = isinstance(declaration, Alias) and not declaration.needs <= known
        imports |= {"TypeAliasType"} if is_in_a_circle else set()
        is_first_alias = isinstance(declaration, Alias) and not body
        body += [*([""] if is_first_alias else ["", ""]), *_declared(declaration, known)]
        known.add(declaration.name)
    lines = [*docstring(f"The objects of {title}, as its OpenAPI document describes them."), *_imports(imports), *body]
    return "\n".join(lines) + "\n"


def _ordered(declarations: Mapping[str, Declaration]) -> list[Declaration]:
    missing = {name: set(one.needs & declarations.keys()) for name, one in declarations.items()}
    ordered: list[Declaration] = []
    while missing:
        ready = [name for name, names in missing.items() if not names] or [_breaking(missing, declarations)]
        for name in ready:
            del missing[name]
        for names in missing.values():
            names.difference_update(ready)
        ordered += [declarations[name] for name in ready]
    return ordered


def _breaking(circle: Iterable[str], declarations: Mapping[str, Declaration]) -> str:
    """Where to break into a circle: at a class, which may mention what comes later, if there is one."""
    names = list(circle)
    return next((name for name in names if isinstance(declarations[name], ClassOfObject)), names[0])


def _imports(names: set[str]) -> list[str]:
    lines: list[str] = []
    for group in (_STANDARD, _THIRD_PARTY, (".calling",)):
        found = [(module, sorted(names & _MODULES[module], key=as_sorters_do)) for module in group]
        block = [line for module, used in found if used for line in import_lines(module, used)]
        lines += ["", *block] if block else []
    return lines


def _declared(declaration: Declaration, known: set[str]) -> list[str]:
    if isinstance(declaration, Alias):
        return [*comment(declaration.description), *_alias(declaration, known)]
    lines = [f"class {declaration.name}({declaration.base}):", *docstring(declaration.description, indent=4)]
    if declaration.extra == "forbid":
        lines += ["", '    model_config = ConfigDict(extra="forbid")']
    elif isinstance(declaration.extra, TypeText):
        inside = _annotation(f"dict[str, {declaration.extra.full}]", declaration.extra.names, known)
        lines += ["", f"    __pydantic_extra__: {inside}"]
    if declaration.fields:
        lines += ["", *(line for field in declaration.fields for line in _field(field, known))]
    return lines


def _field(field: FieldOfClass, known: set[str]) -> list[str]:
    annotation = _annotation(field.annotation, field.type.names, known)
    if field.value is None:
        return [f"    {field.name}: {annotation}"]
    return layout(f"{field.name}: {annotation} = ", field.value, indent=4)


def _annotation(text: str, names: Iterable[str], known: set[str]) -> str:
    return text if known.issuperset(names) else quoted(text)


def _alias(alias: Alias, known: set[str]) -> list[str]:
    if not alias.needs <= known:
        return layout(
            f"{alias.name} = ", Call("TypeAliasType", [("", quoted(alias.name)), ("", quoted(alias.type.full))])
        )
    if alias.literals and not alias.type.constraints:
        return layout(f"{alias.name} = ", Call("Literal", [("", value) for value in alias.literals], "[]"))
    if alias.type.constraints:
        field = Call("Field", alias.type.constraints)
        return layout(f"{alias.name} = ", Call("Annotated", [("", alias.type.text), ("", field)], "[]"))
    return union_alias(alias.name, alias.type.text)
