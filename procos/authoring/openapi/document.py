"""An OpenAPI document, read from a file, and walked with errors that say where something is wrong."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from procos.authoring.openapi.yaml import read_yaml
from procos.errors import UsageError

LARGEST_BYTES: Final = 32 * 1024**2


class Unsupported(Exception):
    """An operation needs something that cannot be made for it; the text says what."""


@dataclass(frozen=True)
class Node:
    """A value inside the document; `pointer` says where, `source` names the file."""

    value: Any
    pointer: str
    source: str
    root: Any = field(repr=False)

    def get(self, key: str) -> "Node | None":
        """What stands under `key`, None where nothing does.

        Raises:
            UsageError: this is not an object.
        """
        value = self.mapping()
        return self.inside(value[key], key) if key in value else None

    def items(self) -> Iterator[tuple[str, "Node"]]:
        """The fields of this object; none where `value` is None."""
        for key, value in self.mapping().items():
            yield key, self.inside(value, key)

    def elements(self, key: str) -> list["Node"]:
        """The elements of the list under `key`; none where there is no list."""
        found = self.get(key)
        if found is None:
            return []
        if not isinstance(found.value, list):
            raise found.wrong("a list")
        return [found.inside(value, str(number)) for number, value in enumerate(found.value)]

    def fields(self, key: str) -> dict[str, "Node"]:
        """The fields of the object under `key`; none where there is no object."""
        found = self.get(key)
        return dict(found.items()) if found is not None else {}

    def text(self, key: str) -> str:
        """The text under `key`, empty where there is none."""
        found = self.get(key)
        if found is None or found.value is None:
            return ""
        if not isinstance(found.value, str | int | float):
            raise found.wrong("text")
        return str(found.value)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """The yes or no under `key`."""
        found = self.get(key)
        if found is not None and not isinstance(found.value, bool):
            raise found.wrong("true or false")
        return default if found is None else found.value

    def mapping(self) -> dict[str, Any]:
        """This value, which has to be an object."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return self.value

    def without(self, *keys: str) -> "Node":
        """This object without some of its fields."""
        return replace(self, value={key: value for key, value in self.mapping().items() if key not in keys})

    def resolved(self) -> "Node":
        """What this stands for: itself, or what its `$ref` leads to in the end.

        Raises:
            UsageError: the `$ref` leads out of the file, nowhere, or round in a circle.
        """
        node, seen = self, {self.pointer}
        while isinstance(node.value, dict) and isinstance(node.value.get("$ref"), str):
            node = node._followed(node.value["$ref"])
            if node.pointer in seen:
                raise UsageError(f"{self.source}: {self.pointer}: its $ref leads round in a circle")
            seen.add(node.pointer)
        return node

    def _followed(self, reference: str) -> "Node":
        if not reference.startswith("#"):
            raise UsageError(
                f"{self.source}: {self.pointer}: $ref '{reference}' leads out of the file, and nothing is fetched",
                hint="put everything into one file first; tools call that bundling",
            )
        value = self.root
        for part in reference[1:].split("/")[1:]:
            key = _unescaped(part)
            try:
                value = value[int(key)] if isinstance(value, list) else value[key]
            except (KeyError, IndexError, TypeError, ValueError):
                raise UsageError(
                    f"{self.source}: {self.pointer}: $ref '{reference}' leads nowhere: there is no '{key}'"
                ) from None
        return replace(self, value=value, pointer=reference)

    def wrong(self, expected: str) -> UsageError:
        """The error for a value of another kind."""
        kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
        found = kinds.get(type(self.value), "a number")
        return UsageError(f"{self.source}: {self.pointer}: expected {expected}, found {found}")

    def inside(self, value: Any, key: str) -> "Node":  # noqa: ANN401 - any JSON value
        """The node of `value`, which stands here under `key`."""
        escaped = key.replace("~", "~0").replace("/", "~1")
        return replace(self, value=value, pointer=f"{self.pointer}/{escaped}")


def _unescaped(part: str) -> str:
    return unquote(part).replace("~1", "/").replace("~0", "~")


def read_document(spec: str) -> Node:
    """The document in the file `spec`, JSON or YAML, of OpenAPI 3.0 or 3.1.

    Raises:
        UsageError: there is no such file, it is not JSON or YAML, or of another version; says what to do.
    """
    if "://" in spec:
        raise UsageError(f"{spec}: nothing is fetched", hint="download the document, and give the file")
    text = _read(Path(spec))
    value = _parsed(spec, text)
    root = Node(value, "#", spec, value)
    if not isinstance(value, dict):
        raise UsageError(f"{spec} is not an OpenAPI document: it holds no object with 'openapi' and 'paths'")
    _check_version(root)
    return root


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise UsageError(
                f"{file} has more than {LARGEST_BYTES // 1024**2} MiB", hint="cut it down to what you need"
            )
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} cannot be read: it is not UTF-8 text") from None


def _parsed(spec: str, text: str) -> Any:  # noqa: ANN401 - any JSON value
    is_json = spec.lower().endswith(".json")
    try:
        if is_json or text.lstrip().startswith("{"):
            return json.loads(text)
    except json.JSONDecodeError as error:
        if is_json:
            raise UsageError(f"{spec}, line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise UsageError(f"{spec} is nested too deeply") from None
    return read_yaml(spec, text)


def _check_version(root: Node) -> None:
    if "swagger" in root.value:
        raise UsageError(
            f"{root.source} is Swagger {root.text('swagger')}; OpenAPI 3.0 and 3.1 are read",
            hint="convert it first, for example with the npm package swagger2openapi or in editor.swagger.io",
        )
    version = root.text("openapi")
    if not version:
        raise UsageError(f"{root.source} is not an OpenAPI document: it has no field 'openapi'")
    if not version.startswith(("3.0", "3.1")):
        raise UsageError(f"{root.source} is OpenAPI {version}; 3.0 and 3.1 are read")
