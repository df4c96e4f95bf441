"""`/healthz`, `/readyz` and `/metrics` over HTTP, served from a thread of its own."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from types import TracebackType
from typing import Any, Final, Protocol, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import make_wsgi_app

from procos.errors import SettingsError

USUAL_PORT: Final = 9464
"""The port of OpenTelemetry's Prometheus exporter (OTEL_EXPORTER_PROMETHEUS_PORT)."""


class Health(Protocol):
    """What is asked; each answer names what is wrong and why, and is empty when nothing is."""

    def not_alive(self) -> Mapping[str, str]:
        """Why the process should be started again."""
        ...

    def not_ready(self) -> Mapping[str, str]:
        """Why jobs do not flow."""
        ...


class MonitoringServer:
    """Serves for as long as the context lasts; `port` None takes the usual one, or a free one where that is taken."""

    def __init__(self, health: Health, *, host: str, port: int | None) -> None:
        self._server = _listen(host, port)
        self._server.set_app(_application(health))
        self._thread = threading.Thread(target=self._server.serve_forever, name="monitoring", daemon=True)

    @property
    def address(self) -> str:
        """Host and port."""
        host, port = self._server.server_address[:2]
        return f"[{host!s}]:{port}" if ":" in str(host) else f"{host!s}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Without the look-up of the host's own name, which may take seconds where there is no name server."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _ServerV6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Probes come every few seconds; they are no news."""


def _listen(host: str, port: int | None) -> _Server:
    kind = _ServerV6 if ":" in host else _Server
    if port is None:
        with contextlib.suppress(OSError, UnicodeError):
            return kind((host, USUAL_PORT), _Handler)
    try:
        return kind((host, port or 0), _Handler)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        if port is None:
            raise SettingsError(
                f"setting monitoring_host = {host}: it cannot be listened on: {reason}",
                hint="127.0.0.1 serves this machine alone, 0.0.0.0 others too",
            ) from error
        raise SettingsError(
            f"setting monitoring_port = {port}: {host}:{port} cannot be listened on: {reason}",
            hint="choose another port, or leave it out: then a free one is taken",
        ) from error


def _application(health: Health) -> WSGIApplication:
    metrics: WSGIApplication = make_wsgi_app()
    questions: dict[str, Callable[[], Mapping[str, str]]] = {
        "/healthz": health.not_alive,
        "/readyz": health.not_ready,
    }

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", ""))
        if path == "/metrics":
            return metrics(environ, start_response)
        if path in questions:
            wrong = dict(questions[path]())
            return _json(start_response, "503 Service Unavailable" if wrong else "200 OK", _verdict(wrong))
        known = [*questions, "/metrics"]
        return _json(start_response, "404 Not Found", {"error": f"there is no {path}", "there are": known})

    return answer


def _verdict(wrong: Mapping[str, str]) -> Mapping[str, Any]:
    return {"status": "not well", "reasons": wrong} if wrong else {"status": "well"}


def _json(start_response: StartResponse, status: str, value: Mapping[str, Any]) -> Iterable[bytes]:
    body = json.dumps(value).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
