"""What can go wrong between a request and its answer, said so that a person can mend it."""

import socket
import ssl
from collections.abc import Iterator
from urllib.request import getproxies

import httpx

from procos.sdk import GiveUp
from procos_workers.repetition import TryAgain

# What runs on the worker's own machine is never reached through a proxy.
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")

_IDEMPOTENT_METHODS = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"}
_PROXIES = {"http", "https", "all"}
_CONNECTION_ERRORS = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout)

_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (socket.gaierror, "the host name in {host} cannot be resolved; check its spelling, and the DNS of this machine"),
    (httpx.ProxyError, "the proxy refused; check HTTP_PROXY, HTTPS_PROXY and NO_PROXY in the worker's environment"),
    (
        httpx.ConnectTimeout,
        (
            "{host} did not take the connection within tde.http.connect_limit_seconds; check that it is up and that no"
            " firewall is in between"
        ),
    ),
    (ConnectionRefusedError, "{host} refused the connection; check that the server runs, and the port"),
    (httpx.ConnectError, "no connection to {host}; check that it is up and can be reached from this machine"),
    (httpx.DecodingError, "the answer's body cannot be unpacked; the server has to mend its compression"),
    (Exception, "the connection to {host} broke before the answer was complete; check the server's own log"),
)


class HttpFailed(Exception):
    """The request failed and may succeed another time, so the runtime tries the job again."""


def explain(error: httpx.HTTPError | httpx.InvalidURL, *, where: str, method: str, host: str) -> Exception:
    """Turns httpx's error into one that says what to do, without anything that was sent.

    A certificate that is not trusted, too many redirects and a request that is not HTTP end the job for good; a broken
    connection is `TryAgain` for methods that may be repeated; anything else is left to the runtime's retries.
    """
    if isinstance(error, httpx.TooManyRedirects):
        return GiveUp(f"{where}: too many redirects; check the URL, or raise tde.http.max_redirects")
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        return GiveUp(f"{where}: the request is not valid HTTP; check its URL and its headers")
    tls = _explain_tls(error, where, host)
    if tls is not None and not isinstance(error, httpx.TimeoutException):  # a handshake that waits is no TLS problem
        return tls
    message = f"{where}: {_reason(error, host)}"
    if isinstance(error, _CONNECTION_ERRORS) and method in _IDEMPOTENT_METHODS:
        return TryAgain(HttpFailed(message))
    return HttpFailed(message)


def _explain_tls(error: Exception, where: str, host: str) -> Exception | None:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return GiveUp(
                f"{where}: the certificate of {host} is not trusted ({cause.verify_message}); if the server is yours,"
                " set tde.http.ca_certificate to the certificate of its authority"
            )
        if isinstance(cause, ssl.SSLError):
            return HttpFailed(
                f"{where}: no TLS connection to {host} ({cause.reason or 'TLS error'}); check that this port speaks"
                " https and which TLS versions it takes"
            )
    return None


def _reason(error: Exception, host: str) -> str:
    causes = tuple(_causes(error))
    reason = next(
        sentence.format(host=host) for kind, sentence in _REASONS if any(isinstance(cause, kind) for cause in causes)
    )
    is_connecting = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
    if is_connecting and not host.startswith(LOOPBACK_HOSTS) and not _PROXIES.isdisjoint(getproxies()):
        return (
            f"{reason}; the worker's environment names a proxy (HTTP_PROXY, HTTPS_PROXY or ALL_PROXY), check that too"
        )
    return reason


def _causes(error: BaseException) -> Iterator[BaseException]:
    yield error
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _causes(member)
    deeper = error.__cause__ or error.__context__
    if deeper is not None:
        yield from _causes(deeper)
