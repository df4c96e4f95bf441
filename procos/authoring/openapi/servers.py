"""Where an operation's server is."""

import re
from urllib.parse import urlsplit

from procos.authoring.openapi.document import Node
from procos.authoring.openapi.parameters import Note
from procos.errors import UsageError

_HINT = "say where the API is with --base-url https://host/path"


class Servers:
    """The servers that a document names, the first of each list; `base_url` stands for all of them if it is given."""

    def __init__(self, root: Node, base_url: str | None, note: Note) -> None:
        self._root = root
        self._note = note
        self._base_url = None if base_url is None else _checked(base_url, f"--base-url {base_url}")

    def of(self, *holders: Node) -> str:
        """The URL of the server of a path item and its operation, the innermost that names one.

        Raises:
            UsageError: there is none, or it is not a whole http URL.
        """
        if self._base_url is not None:
            return self._base_url
        for holder in (*reversed(holders), self._root):
            servers = holder.elements("servers")
            if servers:
                return self._first(servers)
        raise UsageError(f"{self._root.source} names no servers", hint=_HINT)

    def _first(self, servers: list[Node]) -> str:
        urls = [_filled(server) for server in servers]
        if len(urls) > 1:
            self._note(f"of the servers {', '.join(urls)} the first is taken; --base-url takes another")
        return _checked(urls[0], f"{servers[0].source}: {servers[0].pointer}: the server '{urls[0]}'")


def _filled(server: Node) -> str:
    variables = server.fields("variables")

    def default(match: re.Match[str]) -> str:
        if match[1] not in variables:
            raise UsageError(f"{server.source}: {server.pointer}: no variable says what goes into {match[0]}")
        return variables[match[1]].text("default")

    return re.sub(r"\{([^}]*)\}", default, server.text("url"))


def _checked(url: str, what: str) -> str:
    try:
        parts = urlsplit(url)
        host, is_secret = parts.hostname, parts.username is not None or parts.password is not None
    except ValueError:
        raise UsageError(f"{what} is not a URL", hint=_HINT) from None
    if parts.scheme not in {"http", "https"} or not host or re.search(r"[\s\"'\\<>]", url):
        raise UsageError(f"{what} is not a whole URL", hint=_HINT)
    if is_secret:
        raise UsageError(
            f"{what.replace(parts.netloc, host)} holds a user name or a password, which do not belong into code",
            hint="leave them out; credentials come from secrets",
        )
    if parts.query or parts.fragment:
        raise UsageError(f"{what} has a query or a fragment, which a server's address cannot have", hint=_HINT)
    return url.rstrip("/")
