"""A BPMN file as a tree whose nodes know where they stand in it, so that a few of them can be changed in place."""

import codecs
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from xml.parsers import expat

from procos.errors import UsageError
from procos.model.deployment import Resource

BPMN: Final = "http://www.omg.org/spec/BPMN/20100524/MODEL"
ZEEBE: Final = "http://camunda.org/schema/zeebe/1.0"
SCOPES: Final = frozenset({"process", "subProcess", "transaction", "adHocSubProcess"})
"""What holds elements of the flow."""

_BETWEEN: Final = "\x1f"
"""Stands between the parts of a name in expat's answer: a character that no XML can hold, least of all a namespace."""
_WITH_TEXT: Final = frozenset({"documentation", "flowNodeRef"})
_UTF_8: Final = "utf-8"
_UTF_16: Final = (
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)


@dataclass(slots=True, eq=False)
class Node:
    """An element of BPMN's or Zeebe's namespace; elements of others, and what is in them, are left out.

    `attributes` are those without a prefix or with its own; `start` and `end` are where its start tag and its end tag
    begin in the text of the tree (`end` means nothing where the start tag ends in `/>`); `prefixes` are the namespaces
    that hold inside of it. `template` is the id of the element template that Modeler made it with.
    """

    namespace: str
    name: str
    prefix: str
    attributes: Mapping[str, str]
    line: int
    start: int
    prefixes: Mapping[str, str]
    template: str = ""
    end: int = 0
    text: str = ""
    children: "list[Node]" = field(default_factory=list)

    @property
    def id(self) -> str:
        """Its id, empty where it has none."""
        return self.attributes.get("id", "")

    @property
    def words(self) -> str:
        """The name that a person gave it, on one line."""
        return " ".join(self.attributes.get("name", "").split())

    def bpmn(self, *names: str) -> "Iterator[Node]":
        """The children that are BPMN elements of one of these names."""
        return (child for child in self.children if child.namespace == BPMN and child.name in names)

    def zeebe(self, *names: str) -> "Iterator[Node]":
        """Zeebe's extension elements of one of these names."""
        for extensions in self.bpmn("extensionElements"):
            yield from (child for child in extensions.children if child.namespace == ZEEBE and child.name in names)


@dataclass(frozen=True, slots=True)
class Tree:
    """`text` is the file in UTF-8, which the positions count in; `root` is None where the file is no BPMN."""

    root: Node | None
    text: bytes
    codec: str
    """What the file itself is written in."""

    @property
    def processes(self) -> Sequence[Node]:
        """The processes of the file."""
        return () if self.root is None else tuple(self.root.bpmn("process"))


def read_tree(resource: Resource) -> Tree:
    """Reads a BPMN file.

    Raises:
        UsageError: it cannot be read as XML, or has a document type; names the file and the line.
    """
    codec = _codec_of(resource)
    try:
        text = resource.content if codec == _UTF_8 else resource.content.decode(codec).encode()
    except ValueError as error:
        raise _not_readable(resource.name, error) from None
    builder = _Builder()
    _parse(resource.name, text, builder.parser)
    return Tree(builder.root, text, codec)


def _codec_of(resource: Resource) -> str:
    for beginning, codec in _UTF_16:
        if resource.content.startswith(beginning):
            return codec
    declared = ""

    def declaration(_: str, encoding: str | None, __: int) -> None:
        nonlocal declared
        declared = encoding or ""

    parser = expat.ParserCreate()
    parser.XmlDeclHandler = declaration
    _parse(resource.name, resource.content, parser)  # whole: what is declared has to hold to the end
    codec = codecs.lookup(declared or _UTF_8).name
    return _UTF_8 if codec == "ascii" else codec


def _parse(name: str, content: bytes, parser: expat.XMLParserType) -> None:
    def refuse_dtd(*_: object) -> None:
        raise UsageError(
            f"{name}, line {parser.CurrentLineNumber}: a document type (DTD) is not allowed, entities are not either",
            hint="remove the <!DOCTYPE …> part; no modeler writes one",
        )

    parser.StartDoctypeDeclHandler = refuse_dtd
    try:
        parser.Parse(content, True)  # noqa: FBT003 - expat's own signature
    except expat.ExpatError as error:
        raise UsageError(
            f"{name}, line {error.lineno}, column {error.offset + 1}: broken XML: {expat.ErrorString(error.code)}",
            hint="open it in Camunda Modeler, or mend that line",
        ) from None
    except (LookupError, ValueError) as error:
        raise _not_readable(name, error) from None


def _not_readable(name: str, error: Exception) -> UsageError:
    return UsageError(f"{name}: its encoding cannot be read: {error}", hint="save it as UTF-8")


class _Open(NamedTuple):
    """An element whose end has not come: its node, None where it is left out, and the innermost node around it."""

    node: Node | None
    around: Node | None
    prefixes: Mapping[str, str]


class _Builder:
    """Makes nodes of what expat tells; without recursion, so that no file is too deep."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open = [_Open(None, None, {})]
        self._declared: dict[str, str] = {}
        self.parser = expat.ParserCreate("UTF-8", _BETWEEN)
        self.parser.namespace_prefixes = True
        self.parser.buffer_text = True
        self.parser.buffer_size = 2**16
        self.parser.StartNamespaceDeclHandler = self._declare
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        self._declared[prefix or ""] = uri or ""

    def _start(self, full_name: str, attributes: Mapping[str, str]) -> None:
        outer = self._open[-1]
        prefixes = {**outer.prefixes, **self._declared} if self._declared else outer.prefixes
        self._declared = {}
        node = self._node(full_name, attributes, prefixes) if self._is_kept(full_name) else None
        self._open.append(_Open(node, node or outer.around, prefixes))

    def _is_kept(self, full_name: str) -> bool:
        namespace, name, _ = _parts(full_name)
        if len(self._open) == 1:
            return (namespace, name) == (BPMN, "definitions")
        return namespace in {BPMN, ZEEBE} and self._open[-1].node is not None

    def _node(self, full_name: str, attributes: Mapping[str, str], prefixes: Mapping[str, str]) -> Node:
        namespace, name, prefix = _parts(full_name)
        named = [(*_parts(key)[:2], value) for key, value in attributes.items()]
        node = Node(
            namespace=namespace,
            name=name,
            prefix=prefix,
            attributes={key: value for uri, key, value in named if uri in {"", namespace}},
            line=self.parser.CurrentLineNumber,
            start=self.parser.CurrentByteIndex,
            prefixes=prefixes,
            template=next((value for uri, key, value in named if (uri, key) == (ZEEBE, "modelerTemplate")), ""),
        )
        parent = self._open[-1].node
        if parent is None:
            self.root = node
        else:
            parent.children.append(node)
        return node

    def _end(self, _: str) -> None:
        node = self._open.pop().node
        if node is not None:
            node.end = self.parser.CurrentByteIndex

    def _characters(self, text: str) -> None:
        around = self._open[-1].around
        if around is not None and around.name in _WITH_TEXT:
            around.text += text


def _parts(full_name: str) -> tuple[str, str, str]:
    """Namespace, local name, prefix; empty where there is none."""
    match full_name.split(_BETWEEN):
        case [uri, name, prefix]:
            return uri, name, prefix
        case [uri, name]:
            return uri, name, ""
    return "", full_name, ""
