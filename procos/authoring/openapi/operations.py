"""The operations of an OpenAPI document, found and read; what cannot be made of one is said, not guessed."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from procos.authoring.openapi.body import Body, read_body
from procos.authoring.openapi.document import Node, Unsupported
from procos.authoring.openapi.names import Names
from procos.authoring.openapi.parameters import Parameter, read_parameters
from procos.authoring.openapi.responses import Result, read_result
from procos.authoring.openapi.security import Auth, Security
from procos.authoring.openapi.servers import Servers
from procos.errors import UsageError

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_MOST_NAMED: Final = 20


@dataclass(frozen=True)
class Found:
    """An operation as it stands in the document; `id` is its operationId, or method and path where it has none."""

    id: str
    method: str
    path: str
    node: Node
    path_item: Node

    @property
    def where(self) -> str:
        """How messages name it."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What the document says of an operation that can be made."""

    found: Found
    server: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    result: Result
    auth: tuple[Auth, ...]

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that it uses."""
        return tuple(dict.fromkeys(name for auth in self.auth for name in auth.secrets))


def find_operations(root: Node, wanted: Collection[str]) -> list[Found]:
    """The operations of the document, or those of them that are `wanted` by operationId or as `GET /path`.

    Raises:
        UsageError: there are none, two have one operationId, or one that is wanted is not there.
    """
    found = [operation for path, item in root.fields("paths").items() for operation in _of_path(path, item)]
    if not found:
        raise UsageError(f"{root.source} has no operations under 'paths', so there is nothing to make")
    by_id: dict[str, Found] = {}
    for operation in found:
        other = by_id.setdefault(operation.id, operation)
        if other is not operation:
            raise UsageError(
                f"{root.source}: {other.where} and {operation.where} have the same operationId '{operation.id}'",
                hint="give each its own: it becomes the name of a TDE",
            )
    by_name = by_id | {operation.where: operation for operation in found}
    for name in wanted:
        if name not in by_name:
            raise UsageError(f"{root.source} has no operation '{name}'", hint=_near(name, by_name, by_id))
    ids = dict.fromkeys(by_name[name].id for name in wanted)
    return [by_id[one] for one in ids] if wanted else found


def _near(name: str, by_name: Collection[str], ids: Collection[str]) -> str:
    near = get_close_matches(name, by_name, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    more = ", …" if len(ids) > _MOST_NAMED else ""
    return f"it has {', '.join(list(ids)[:_MOST_NAMED])}{more}"


def _of_path(path: str, item: Node) -> list[Found]:
    if path.startswith("x-"):
        return []
    item = item.resolved()
    found = []
    for key, node in item.items():
        if key in _METHODS:
            method = key.upper()
            found.append(Found(node.text("operationId") or f"{method} {path}", method, path, node, item))
    return found


class OperationReader:
    """Reads operations; `note` hears what is left out or lost, `prefix` begins the names of their secrets."""

    def __init__(self, root: Node, note: Callable[[str], None], *, prefix: str, base_url: str | None) -> None:
        self._note = note
        self._servers = Servers(root, base_url, note)
        self._security = Security(root, prefix)

    def read(self, found: Found) -> Operation | None:
        """The operation, or None where it has to be left out.

        Raises:
            UsageError: the document is wrong there.
        """

        def note(text: str) -> None:
            self._note(f"{found.where}: {text}")

        variables = Names()
        try:
            operation = Operation(
                found=found,
                server=self._servers.of(found.path_item, found.node),
                auth=self._security.of(found.node, note),
                parameters=read_parameters(found.path, [found.path_item, found.node], variables, note),
                body=read_body(found.node, variables, note),
                result=read_result(found.node, note),
            )
        except Unsupported as reason:
            note(f"left out: {reason}")
            return None
        if found.node.get("callbacks") is not None:
            note("its callbacks are not made; nothing here listens for requests")
        return operation
