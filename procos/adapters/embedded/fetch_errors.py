"""The ways in which a Maven repository fails us, each in a sentence of its own."""

from http import HTTPStatus
from urllib.parse import urlsplit

from procos.errors import EngineInstallError, UsageError

_OTHER_WAYS = "set PROCOS_MAVEN_REPOSITORY to a mirror, or give an unpacked engine with --engine-home"
_NOT_ALLOWED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED})


def checked_address(repository: str) -> str:
    """The mirror's address, without a slash at its end.

    Raises:
        UsageError: it is not the address of a web server.
    """
    try:
        parts = urlsplit(repository)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(
            f"the Maven repository {repository!r} is not an address",
            hint="PROCOS_MAVEN_REPOSITORY looks like https://HOST/PATH",
        )
    return repository.rstrip("/")


def name_of(repository: str | None) -> str:
    """How messages call the repository: never with the password that its address may hold."""
    return urlsplit(repository).hostname or "the mirror" if repository else "Maven Central"


def unreachable(where: str, error: BaseException) -> EngineInstallError:
    """There is no network, or no such host, or nobody who listens there."""
    return EngineInstallError(
        f"the engine cannot be fetched: {where} cannot be reached ({_root_cause(error)})",
        hint=f"check the network and its proxy settings, then try again; or {_OTHER_WAYS}",
    )


def broken_off(where: str, received: int, size: int, error: BaseException) -> EngineInstallError:
    """The connection ended in the middle of the file."""
    return EngineInstallError(
        f"fetching the engine from {where} was interrupted after {received} of {size} bytes ({_root_cause(error)})",
        hint="try again; what came so far was thrown away",
    )


def refused(where: str, what: str, status: int | None) -> EngineInstallError:
    """The repository answered, but not with the file."""
    if status == HTTPStatus.NOT_FOUND:
        return EngineInstallError(
            f"{where} has no {what} (HTTP status 404)", hint=f"check the address; or {_OTHER_WAYS}"
        )
    answer = f"HTTP status {status}" if status else "an error"
    if status in _NOT_ALLOWED:
        hint = f"check the user name and password in the address, or the proxy's; or {_OTHER_WAYS}"
    else:
        hint = f"try again later; or {_OTHER_WAYS}"
    return EngineInstallError(f"{where} answered {answer} when asked for {what}", hint=hint)


def damaged(where: str, damage: str) -> EngineInstallError:
    """The file came whole, but it is not the one that it should be."""
    return EngineInstallError(
        f"the engine fetched from {where} has a wrong checksum: {damage}",
        hint="it was thrown away; try again, and if it stays so, ask who runs that repository or the proxy before it",
    )


def _root_cause(error: BaseException) -> str:
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
