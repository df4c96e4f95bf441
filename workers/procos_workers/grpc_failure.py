"""What can go wrong between a call and its answer, said so that a person can mend it."""

from collections.abc import Iterable

from grpc import ChannelConnectivity, StatusCode
from grpc.aio import AioRpcError

from procos.sdk import GiveUp
from procos_workers.grpc_pushback import Pushback
from procos_workers.repetition import TryAgain

_EXCERPT_CHARACTERS = 500
_USELESS_TO_REPEAT = {
    StatusCode.INVALID_ARGUMENT,
    StatusCode.NOT_FOUND,
    StatusCode.ALREADY_EXISTS,
    StatusCode.PERMISSION_DENIED,
    StatusCode.UNAUTHENTICATED,
    StatusCode.FAILED_PRECONDITION,
    StatusCode.OUT_OF_RANGE,
    StatusCode.UNIMPLEMENTED,
    StatusCode.DATA_LOSS,
}
_REFUSED_FOR_NOW = {StatusCode.UNAVAILABLE, StatusCode.RESOURCE_EXHAUSTED}
_HINTS = {
    StatusCode.UNAUTHENTICATED: " (check the credentials that the task sends)",
    StatusCode.PERMISSION_DENIED: " (check the credentials that the task sends)",
    StatusCode.UNIMPLEMENTED: " (the server that answered does not offer this method)",
}
_NOT_CONNECTED = ("failed to connect to all addresses", "errors resolving ", "DNS resolution failed", "no healthy")
_CANNOT_RESOLVE = ("errors resolving ", "DNS resolution failed")
# What gRPC's own library says, from its source and as seen; none of it comes from the server.
_NOT_TRUSTED = ("CERTIFICATE_VERIFY_FAILED", "Hostname Verification Check failed", "is not in peer certificate")
_BROKE_OFF = (
    "Stream removed (",
    "Socket closed",
    "Connection reset",
    "Broken pipe",
    "Endpoint closing",
    "GOAWAY",
    "keepalive",
    "recvmsg:",
    "sendmsg:",
)
_TOO_LARGE = "CLIENT: Received message larger than max"
_REFUSED_AS_TOO_LARGE = "Received message larger than max"
_NOT_GRPC = "Received http2 header with status"


class GrpcFailed(Exception):
    """The call failed and may succeed another time, so the runtime tries the job again."""


def too_large(where: str, limit: int) -> GiveUp:
    """The error for an answer of more bytes than are taken."""
    return GiveUp(
        f"{where}: the answer is larger than {limit} bytes; ask for less of it (a page, a filter, take_first for a"
        " stream), or raise tde.grpc.max_response_bytes (the engine takes less than 4 MiB)"
    )


class Explainer:
    """Turns gRPC's error into one that says what to do, with the server's words but nothing that was sent."""

    def __init__(
        self, *, where: str, address: str, tls: bool, limit: float, max_bytes: int, masked: Iterable[str]
    ) -> None:
        self.where = where
        self._address = address
        self._tls = tls
        self._limit = limit
        self._max_bytes = max_bytes
        self._masked = sorted(masked, key=len, reverse=True)

    def explain(
        self, error: AioRpcError, state: ChannelConnectivity, *, idempotent: bool, timed_out: bool
    ) -> Exception:
        """The error to raise.

        `state` is the channel's, `timed_out` whether the call's time is over. A refusal, a certificate that is not
        trusted and an answer that is too large end the job for good; UNAVAILABLE, RESOURCE_EXHAUSTED and a server that
        cannot be reached are `TryAgain`, a connection that broke only where the method is `idempotent`; anything else
        is left to the runtime's retries.
        """
        details = error.details() or ""
        if error.code() is StatusCode.DEADLINE_EXCEEDED and timed_out:
            return GrpcFailed(f"{self.where}: {self._no_answer(state)}")
        if error.code() is StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in details:
            return too_large(self.where, self._max_bytes)
        if error.code() is StatusCode.UNAVAILABLE and _is_about_the_connection(details, state):
            return self._broken(details, idempotent=idempotent)
        return self._answered(error, details)

    def _no_answer(self, state: ChannelConnectivity) -> str:
        if state is ChannelConnectivity.READY:
            return (
                f"no complete answer within {self._limit:g} s; check why {self._address} is slow, or raise"
                " tde.grpc.time_limit_seconds"
            )
        return self._not_taken(f"{self._limit:g} s")

    def _not_taken(self, limit: str) -> str:
        return (
            f"{self._address} did not take the connection within {limit}; check that it is up, that it speaks gRPC"
            f" {self._with_tls}, and that no firewall is in between"
        )

    @property
    def _with_tls(self) -> str:
        return "with TLS" if self._tls else "without TLS"

    def _broken(self, details: str, *, idempotent: bool) -> Exception:
        if any(sign in details for sign in _NOT_TRUSTED):
            return GiveUp(
                f"{self.where}: the certificate of {self._address} is not trusted ({_reason(details)}); if the server"
                " is yours, name it under tde.grpc.targets with the ca_certificate of its authority, and with"
                " server_name if the certificate is for another name"
            )
        if details.startswith(_NOT_CONNECTED):
            return TryAgain(GrpcFailed(f"{self.where}: {self._not_connected(details)}"))
        message = (
            f"{self.where}: the connection to {self._address} broke before the answer was complete"
            f"{self._excerpt(details)}; check the server's own log"
        )
        return TryAgain(GrpcFailed(message)) if idempotent else GrpcFailed(message)

    def _not_connected(self, details: str) -> str:
        if details.startswith(_CANNOT_RESOLVE):
            return f"the host name in {self._address} cannot be resolved; check its spelling, and this machine's DNS"
        if "Connection refused" in details:
            return f"{self._address} refused the connection; check that the server runs, and the port"
        if "timed out" in details:
            return self._not_taken("tde.grpc.connect_limit_seconds")
        if "handshake failed" in details or "http1" in details or "Socket closed" in details:
            return (
                f"no gRPC connection {self._with_tls} to {self._address}; check that this port speaks gRPC"
                f" {self._with_tls}; if it does not, name the server under tde.grpc.targets with the right tls"
            )
        return f"no connection to {self._address}; check that it is up and can be reached from this machine"

    def _answered(self, error: AioRpcError, details: str) -> Exception:
        code = error.code()
        message = f"{self.where}: the server answered {code.name}{self._hint(code, details)}{self._excerpt(details)}"
        if code in _USELESS_TO_REPEAT or _REFUSED_AS_TOO_LARGE in details:
            return GiveUp(message)
        if code in _REFUSED_FOR_NOW:
            pushback = Pushback.of(error.trailing_metadata())
            return GrpcFailed(message) if pushback.never else TryAgain(GrpcFailed(message), retry_after=pushback.wait)
        return GrpcFailed(message)

    def _hint(self, code: StatusCode, details: str) -> str:
        if code is StatusCode.OK:
            return " (not among expected_status)"
        if _NOT_GRPC in details:
            return f" (not a gRPC server, it seems; check the host and the port of {self._address})"
        if _REFUSED_AS_TOO_LARGE in details:
            return " (the message is larger than it takes; send less)"
        return _HINTS.get(code, "")

    def unexpected_success(self) -> GiveUp:
        """The error for OK where the task expects something else."""
        return GiveUp(f"{self.where}: the server answered OK{self._hint(StatusCode.OK, '')}")

    def _excerpt(self, details: str) -> str:
        for word in self._masked:
            details = details.replace(word, "***")
        readable = " ".join("".join(sign if sign.isprintable() else " " for sign in details).split())
        return f": {readable[:_EXCERPT_CHARACTERS]}" if readable else ""


def _is_about_the_connection(details: str, state: ChannelConnectivity) -> bool:
    # The channel may notice a moment after the call that its connection is gone.
    return state is not ChannelConnectivity.READY or details.startswith(_BROKE_OFF)


def _reason(details: str) -> str:
    _, _, reason = details.partition("CERTIFICATE_VERIFY_FAILED: ")
    return reason.removesuffix(": OK").strip()[:_EXCERPT_CHARACTERS] or "it is for another host name"
