"""What an operation gives back when it works."""

from dataclasses import dataclass

from procos.authoring.openapi.document import Node
from procos.authoring.openapi.parameters import Note, is_json


@dataclass(frozen=True, kw_only=True)
class Result:
    """The answer: any of the JSON `schemas` (None stands for any JSON), or text, or nothing."""

    schemas: tuple[Node | None, ...] = ()
    is_text: bool = False
    may_be_empty: bool = False
    accept: str | None = None
    description: str = ""

    @property
    def is_nothing(self) -> bool:
        """Whether the operation never answers with a body."""
        return not self.schemas and not self.is_text


def read_result(operation: Node, note: Note) -> Result:
    """The answers with a status of 2xx, in one; without any, the `default` answer."""
    responses = {code: node.resolved() for code, node in operation.fields("responses").items() if code[:2] != "x-"}
    good = [node for code, node in responses.items() if code.upper()[:1] == "2"]
    if not good and "default" in responses:
        note("only a 'default' answer is described; it is taken for the one of success")
        good = [responses["default"]]
    schemas: list[Node | None] = []
    others: list[str] = []
    accept: list[str] = []
    may_be_empty = not good
    for node in good:
        content = node.fields("content")
        may_be_empty = may_be_empty or not content
        json_types = [media_type for media_type in content if is_json(media_type) or "*" in media_type]
        accept += json_types[:1] or list(content)[:1]
        schemas += [content[json_types[0]].get("schema")] if json_types else []
        others += [] if json_types else list(content)[:1]
        if node.get("links") is not None:
            note("the links of its answer are not made")
    _note_others(others, note)
    return Result(
        schemas=tuple(schemas),
        is_text=bool(others),
        may_be_empty=may_be_empty,
        accept=", ".join(dict.fromkeys(accept)) or None,
        description=next((text for node in good if (text := node.text("description"))), ""),
    )


def _note_others(media_types: list[str], note: Note) -> None:
    for media_type in media_types:
        if not media_type.startswith("text/"):
            note(f"its answer is {media_type}: the result is text, or base64 where it is not text")
