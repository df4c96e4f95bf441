"""Waiting until a broker can be used, or cannot any more."""

import http.client
import json
import time
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Literal

import psutil

from procos.adapters.embedded.ports import LOOPBACK, Ports
from procos.adapters.embedded.progress import Progress
from procos.adapters.embedded.running import is_alive

_LOOK_AGAIN_SECONDS = 0.1
_ANSWER_SECONDS = 5
_READINESS = "/actuator/health/readiness"
_TOPOLOGIES = ("/v2/topology", "/v1/topology")  # 8.6 and newer, 8.5

Outcome = Literal["ready", "ended", "timeout"]


def wait_until_ready(
    process: psutil.Process,
    ports: Ports,
    *,
    timeout: timedelta,
    progress: Progress,
    gave_up: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Waits until the broker can take work, has ended or given up, or `timeout` is over."""
    deadline = time.monotonic() + timeout.total_seconds()
    while time.monotonic() < deadline:
        if not is_alive(process) or gave_up():
            return "ended"
        if _is_ready(process, ports):
            return "ready"
        progress("waiting for the engine to become ready", 0, 0)
        time.sleep(_LOOK_AGAIN_SECONDS)
    return "timeout"


def _is_ready(process: psutil.Process, ports: Ports) -> bool:
    return _get(ports.monitoring, _READINESS)[0] == HTTPStatus.OK and _listens(process, ports) and _is_led(ports.rest)


def _is_led(rest_port: int) -> bool:
    # A broker calls itself ready a moment before its partition has a leader; commands sent then are refused.
    for path in _TOPOLOGIES:
        status, body = _get(rest_port, path)
        if status == HTTPStatus.OK:
            return _has_leaders(json.loads(body))
        if status != HTTPStatus.NOT_FOUND:
            return False
    return False


def _has_leaders(topology: dict[str, Any]) -> bool:
    led = {
        partition["partitionId"]
        for broker in topology["brokers"]
        for partition in broker.get("partitions") or ()
        if (partition["role"], partition["health"]) == ("leader", "healthy")
    }
    return 0 < int(topology["partitionsCount"]) <= len(led)


def _listens(process: psutil.Process, ports: Ports) -> bool:
    # Where somebody else took a port in between, it may be their broker that answers us.
    try:
        listening = {
            connection.laddr.port
            for connection in process.net_connections(kind="tcp")
            if connection.status == psutil.CONN_LISTEN
        }
    except psutil.NoSuchProcess:
        return False
    return {ports.gateway, ports.rest, ports.monitoring} <= listening


def _get(port: int, path: str) -> tuple[int | None, bytes]:
    # Not urllib: it would ask a proxy that is set for the rest of the world.
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):  # not yet, or it is no web server at all
        return None, b""
    finally:
        connection.close()
