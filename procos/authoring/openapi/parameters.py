"""The parameters of an operation: where each goes, how it is written there, and by which variable it comes."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, cast

from procos.authoring.openapi.document import Node, Unsupported
from procos.authoring.openapi.names import Names, process_variable

Place = Literal["path", "query", "header"]
Note = Callable[[str], None]

_PLACES: Final = ("path", "query", "header")
_USUAL_STYLE: Final = {"path": "simple", "query": "form", "header": "simple"}
_STYLES: Final = {
    "path": {"simple"},
    "query": {"form", "spaceDelimited", "pipeDelimited", "deepObject"},
    "header": {"simple"},
}
_NOT_PARAMETERS: Final = {"accept", "content-type", "authorization"}
"""Header parameters by these names mean nothing. Source: OpenAPI 3.1, Parameter Object."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter; `variable` is its name in the input."""

    place: Place
    name: str
    variable: str
    style: str
    explode: bool
    allow_reserved: bool
    is_required: bool
    schema: Node | None
    description: str


def read_parameters(path: str, holders: Iterable[Node], variables: Names, note: Note) -> tuple[Parameter, ...]:
    """The parameters of a path and its operation, in order; the operation's replace the path's.

    Raises:
        Unsupported: one that is required cannot be sent; or the path has a place that no parameter fills.
    """
    nodes: dict[tuple[str, str], Node] = {}
    for holder in holders:
        for element in holder.elements("parameters"):
            node = element.resolved()
            nodes[node.text("in"), node.text("name")] = node
    read = [parameter for node in nodes.values() if (parameter := _read(node, variables, note)) is not None]
    for name in re.findall(r"\{([^}]*)\}", path):
        if ("path", name) not in nodes:
            raise Unsupported(f"no parameter says what goes into {{{name}}} of its path")
    return tuple(read)


def _read(node: Node, variables: Names, note: Note) -> Parameter | None:
    place, name = node.text("in"), node.text("name")
    is_required = node.flag("required") or place == "path"
    if place == "header" and name.lower() in _NOT_PARAMETERS:
        note(f"the header parameter {name} is not one for OpenAPI, and is left out")
        return None
    reason = _why_not(node, place)
    if reason and is_required:
        raise Unsupported(f"its parameter '{name}' {reason}")
    if reason:
        note(f"the parameter '{name}' {reason}; it is left out")
        return None
    content = next(iter(node.fields("content").values()), None)
    style = node.text("style") or _USUAL_STYLE[place]
    variable = variables.claim(process_variable(name))
    if variable != process_variable(name):
        note(f"two parameters are called '{name}'; the one in the {place} is the variable '{variable}'")
    return Parameter(
        place=cast("Place", place),
        name=name,
        variable=variable,
        style="json" if content is not None else style,
        explode=content is None and node.flag("explode", default=style == "form"),
        allow_reserved=node.flag("allowReserved"),
        is_required=is_required,
        schema=node.get("schema") if content is None else content.get("schema"),
        description=node.text("description"),
    )


def _why_not(node: Node, place: str) -> str | None:
    if not node.text("name"):
        raise node.wrong("a parameter with 'name' and 'in'")
    if place not in _PLACES:
        return f"is in '{place}', and that is not made"
    media_types = list(node.fields("content"))
    if media_types and not is_json(media_types[0]):
        return f"is written as {media_types[0]}, and that is not made"
    style = node.text("style") or _USUAL_STYLE[place]
    return None if style in _STYLES[place] else f"has the style '{style}' in the {place}, and that is not made"


def is_json(media_type: str) -> bool:
    """Whether a media type is JSON."""
    bare = media_type.partition(";")[0].strip().lower()
    return bare in {"application/json", "text/json"} or bare.endswith("+json")
