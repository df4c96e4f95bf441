"""The body that an operation takes, in the one of its media types that is made best."""

from dataclasses import dataclass
from typing import Final

from procos.authoring.openapi.document import Node, Unsupported
from procos.authoring.openapi.names import Names
from procos.authoring.openapi.parameters import Note, is_json

FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True)
class Body:
    """The body; `schema` is None for anything."""

    media_type: str
    variable: str
    is_required: bool
    schema: Node | None
    description: str


def read_body(operation: Node, variables: Names, note: Note) -> Body | None:
    """The body of an operation, None where it has none: JSON if it may be, else a form, else text.

    Raises:
        Unsupported: it is required, and of another kind.
    """
    holder = operation.get("requestBody")
    if holder is None:
        return None
    holder = holder.resolved()
    content = holder.fields("content")
    media_type = _best(list(content))
    if media_type is None:
        kinds = ", ".join(content) or "nothing"
        reason = f"its body is {kinds}, and only JSON, URL-encoded forms and plain text are made"
        if holder.flag("required"):
            raise Unsupported(reason)
        note(f"{reason}; it is sent without a body")
        return None
    if content[media_type].get("encoding") is not None:
        note("the 'encoding' of its body's fields is not kept; lists are sent as repeated fields")
    return Body(
        media_type="application/json" if "*" in media_type else media_type,
        variable=variables.claim("body"),
        is_required=holder.flag("required"),
        schema=content[media_type].get("schema"),
        description=holder.text("description"),
    )


def _best(media_types: list[str]) -> str | None:
    bare = {media_type: media_type.partition(";")[0].strip().lower() for media_type in media_types}
    for is_right in (
        lambda name: name == "application/json",
        is_json,
        lambda name: name in {"*/*", "application/*"},
        lambda name: name == FORM,
        lambda name: name == "text/plain",
    ):
        for media_type, name in bare.items():
            if is_right(name):
                return media_type
    return None
