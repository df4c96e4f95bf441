"""How an operation proves who asks: which credentials it sends, and by which secrets they are known."""

from dataclasses import dataclass

from procos.authoring.openapi.code import Call, quoted
from procos.authoring.openapi.document import Node, Unsupported
from procos.authoring.openapi.names import variable_name
from procos.authoring.openapi.parameters import Note
from procos.errors import UsageError


@dataclass(frozen=True)
class Auth:
    """A credential: how the generated code writes it, and its secrets."""

    code: Call
    secrets: tuple[str, ...]


class Security:
    """The security schemes of a document; `prefix` begins the names of the secrets."""

    def __init__(self, root: Node, prefix: str) -> None:
        components = root.get("components")
        self._root = root
        self._schemes = components.fields("securitySchemes") if components is not None else {}
        self._prefix = variable_name(prefix).upper()

    def of(self, operation: Node, note: Note) -> tuple[Auth, ...]:
        """What the operation sends: the first of its alternatives that can be made, nothing where none is asked for.

        Raises:
            Unsupported: none of the alternatives can be made.
            UsageError: an alternative names a scheme that is not there.
        """
        holder = operation if operation.get("security") is not None else self._root
        alternatives = holder.elements("security")
        reasons = []
        for alternative in alternatives:
            try:
                auth = tuple(self._auth(name, alternative, note) for name, _ in alternative.items())
            except Unsupported as reason:
                reasons.append(str(reason))
            else:
                _note_choice(alternatives, alternative, note)
                return auth
        if reasons:
            raise Unsupported("; ".join(reasons))
        return ()

    def _auth(self, name: str, where: Node, note: Note) -> Auth:
        if name not in self._schemes:
            raise UsageError(f"{where.source}: {where.pointer}: there is no security scheme '{name}'")
        scheme = self._schemes[name].resolved()
        secret = f"{self._prefix}_{variable_name(name).upper()}"
        kind, how = scheme.text("type"), scheme.text("scheme").lower()
        match kind, how:
            case "http", "bearer":
                return _bearer(secret)
            case "http", "basic":
                secrets = (f"{secret}_USER", f"{secret}_PASSWORD")
                return Auth(Call("Basic", [("", quoted(one)) for one in secrets]), secrets)
            case "apiKey", _ if scheme.text("in") in {"header", "query"}:
                arguments = [("", quoted(scheme.text(key))) for key in ("in", "name")]
                return Auth(Call("ApiKey", [*arguments, ("", quoted(secret))]), (secret,))
            case (("oauth2" | "openIdConnect"), _):
                note(f"the secret {secret} has to hold an access token for '{name}' ({kind}); nothing here renews it")
                return _bearer(secret)
        what = " ".join(filter(None, (kind, how or scheme.text("in"))))
        raise Unsupported(f"its security scheme '{name}' is {what}, and that is not made")


def _bearer(secret: str) -> Auth:
    return Auth(Call("Bearer", [("", quoted(secret))]), (secret,))


def _note_choice(alternatives: list[Node], chosen: Node, note: Note) -> None:
    if len(alternatives) > 1:
        texts = [" and ".join(node.mapping()) or "no credentials" for node in alternatives]
        taken = " and ".join(chosen.mapping()) or "no credentials"
        note(f"it takes {', or '.join(texts)}; {taken} is made")
