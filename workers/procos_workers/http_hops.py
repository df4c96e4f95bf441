"""Where a request may go: every hop is checked, and credentials stay with the host that they were meant for."""

import logging
import re

import httpx

from procos.sdk import GiveUp
from procos_workers.http_config import HttpConfig, host_name

_DEFAULT_PORTS = {"http": 80, "https": 443}
# A header that is not listed may hold a credential (X-Api-Key), so only these go to another host.
_TRAVELLING_HEADERS = {
    "accept",
    "accept-encoding",
    "accept-language",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "idempotency-key",
    "transfer-encoding",
    "user-agent",
}


class Hops:
    """The way of one request over its redirects, as a hook that httpx calls before each hop."""

    def __init__(self, config: HttpConfig, *, method: str, url: str) -> None:
        self._config = config
        self._method = method
        self._start = self._here = httpx.URL(url)

    async def enter(self, request: httpx.Request) -> None:
        """Checks the hop, and takes away what may not travel to another host.

        Raises:
            GiveUp: the settings do not allow the host, or a redirect leads away from HTTP.
        """
        self._here = request.url
        if request.url.scheme not in _DEFAULT_PORTS:
            raise GiveUp(f"{self.where}: redirected to a URL that is not http or https, which is not followed")
        if not self._config.permits(request.url):
            raise GiveUp(
                f"{self.where}: the host {host_name(request.url)} is not allowed; if it should be, change"
                " tde.http.allow_hosts or tde.http.deny_hosts"
            )
        if not _stays_at_home(self._start, request.url):
            for name in [name for name in request.headers if name.lower() not in _TRAVELLING_HEADERS]:
                del request.headers[name]

    @property
    def where(self) -> str:
        """The request as errors name it."""
        asked, answering = public(self._start), public(self._here)
        return f"{self._method} {asked}" + (f", redirected to {answering}" if answering != asked else "")

    @property
    def host(self) -> str:
        """Host and, where it is not the usual one, port of the hop that was made last."""
        return self._here.netloc.decode("ascii")


def public(url: httpx.URL) -> str:
    """The URL without user name, password, query and fragment, which may be secret."""
    path = url.raw_path.partition(b"?")[0].decode("ascii")
    return f"{url.scheme}://{url.netloc.decode('ascii')}{path}"


def _stays_at_home(start: httpx.URL, here: httpx.URL) -> bool:
    if start.host != here.host:
        return False
    ports = (_port(start), _port(here))
    return (start.scheme, ports[0]) == (here.scheme, ports[1]) or (
        (start.scheme, here.scheme) == ("http", "https") and ports == (80, 443)
    )


def _port(url: httpx.URL) -> int | None:
    return url.port or _DEFAULT_PORTS.get(url.scheme)


class _PublicUrls(logging.Filter):
    """Shortens the URLs in a log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(public(value) if isinstance(value, httpx.URL) else value for value in record.args)
        return True


class _NoHeaders(logging.Filter):
    """Shortens the records in which httpcore lists the headers of an answer, cookies among them."""

    _LIST = re.compile(r"(receive_response_headers\.complete) .*", re.DOTALL)

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = self._LIST.sub(r"\1", str(record.msg))
        return True


_PUBLIC_URLS, _NO_HEADERS = _PublicUrls(), _NoHeaders()


def keep_secrets_out_of_logs() -> None:
    """Makes httpx log URLs without what may be secret, and httpcore no headers; does nothing the second time."""
    logging.getLogger("httpx").addFilter(_PUBLIC_URLS)
    logging.getLogger("httpcore.http11").addFilter(_NO_HEADERS)
