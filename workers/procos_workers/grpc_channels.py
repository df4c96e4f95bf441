"""Connections to gRPC servers, kept open between calls of one event loop."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from grpc import ChannelCredentials, ssl_channel_credentials
from grpc.aio import Channel, insecure_channel, secure_channel

from procos.sdk import GiveUp
from procos_workers.grpc_config import GrpcConfig
from procos_workers.grpc_descriptors import Descriptors
from procos_workers.grpc_endpoint import Endpoint

KEPT_SECONDS: Final = 300.0
"""How long a connection that nobody uses stays open."""

REFLECTED_AT_MOST: Final = 16 * 1024 * 1024
"""The largest part of a server's description of itself that is taken, in bytes."""

_FIRST_RECONNECT_MS = 200
_LONGEST_RECONNECT_MS = 1000


@dataclass(frozen=True)
class Described:
    """What a server said of itself, and when (by the loop's clock)."""

    descriptors: Descriptors
    at: float


@dataclass
class Connection:
    """An open channel and what was learned over it: `described` by service, `reflection` the protocol it speaks."""

    channel: Channel
    described: dict[str, Described] = field(default_factory=dict)
    reflection: str | None = None
    users: int = 0
    closing: asyncio.TimerHandle | None = None


@dataclass(frozen=True)
class _Key:
    """Calls share a channel where all of this is the same; a certificate that changed makes a new one."""

    endpoint: Endpoint
    changed_ns: tuple[int, ...]
    max_response_bytes: int
    connect_limit_seconds: float


# A channel belongs to the event loop that it was made in, and is of no use to any other.
_open: dict[asyncio.AbstractEventLoop, dict[_Key, Connection]] = {}


@asynccontextmanager
async def connected(endpoint: Endpoint, config: GrpcConfig) -> AsyncIterator[Connection]:
    """A connection to the server, shared with whoever else calls it, and closed some time after the last use.

    Raises:
        GiveUp: a certificate or a key cannot be used.
    """
    loop = asyncio.get_running_loop()
    for gone in [each for each in _open if each.is_closed()]:
        del _open[gone]
    mine = _open.setdefault(loop, {})
    key = _Key(endpoint, _changed(endpoint), config.max_response_bytes, config.connect_limit_seconds)
    connection = mine.get(key)
    if connection is None:
        connection = mine[key] = Connection(_channel(endpoint, config))
    connection.users += 1
    if connection.closing is not None:
        connection.closing.cancel()
        connection.closing = None
    try:
        yield connection
    finally:
        connection.users -= 1
        if connection.users == 0:
            connection.closing = loop.call_later(KEPT_SECONDS, _close, loop, key)


async def close_unused() -> None:
    """Closes the connections of this loop that nobody uses, now rather than later."""
    mine = _open.get(asyncio.get_running_loop(), {})
    for key, connection in [(key, connection) for key, connection in mine.items() if connection.users == 0]:
        if connection.closing is not None:
            connection.closing.cancel()
        del mine[key]
        await connection.channel.close(None)


def _close(loop: asyncio.AbstractEventLoop, key: _Key) -> None:
    connection = _open[loop].pop(key)
    closing = loop.create_task(connection.channel.close(None))
    _closing.add(closing)
    closing.add_done_callback(_closing.discard)


_closing: set[asyncio.Task[None]] = set()  # a loop keeps no strong reference to its tasks


def _channel(endpoint: Endpoint, config: GrpcConfig) -> Channel:
    options: list[tuple[str, str | int]] = [
        # A description may be larger than the answers that are taken; those are measured when they are there.
        ("grpc.max_receive_message_length", max(REFLECTED_AT_MOST, config.max_response_bytes)),
        ("grpc.max_send_message_length", -1),
        ("grpc.min_reconnect_backoff_ms", round(config.connect_limit_seconds * 1000)),  # how long connecting may take
        # Without these a channel would refuse calls for up to two minutes after its server has come back.
        ("grpc.initial_reconnect_backoff_ms", _FIRST_RECONNECT_MS),
        ("grpc.max_reconnect_backoff_ms", _LONGEST_RECONNECT_MS),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.primary_user_agent", "ProcOS"),
    ]
    if endpoint.address.is_loopback:
        options.append(("grpc.enable_http_proxy", 0))
    if endpoint.server_name is not None:
        options += [
            ("grpc.ssl_target_name_override", endpoint.server_name),
            ("grpc.default_authority", endpoint.server_name),
        ]
    target = f"dns:///{endpoint.address}"
    if endpoint.tls:
        return secure_channel(target, _credentials(endpoint), options=options)
    return insecure_channel(target, options=options)


def _credentials(endpoint: Endpoint) -> ChannelCredentials:
    _check(endpoint)
    return ssl_channel_credentials(
        root_certificates=_content(endpoint.ca_certificate),
        private_key=_content(endpoint.client_key),
        certificate_chain=_content(endpoint.client_certificate),
    )


def _check(endpoint: Endpoint) -> None:
    # gRPC itself would say no more than that it cannot connect.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    path = endpoint.ca_certificate
    try:
        if path is not None:
            context.load_verify_locations(cafile=path)
        path = endpoint.client_certificate
        if path is not None:
            context.load_cert_chain(path, endpoint.client_key, password=lambda: b"")
    except (OSError, ssl.SSLError) as error:
        name = "ca_certificate" if path == endpoint.ca_certificate else "client_certificate or client_key"
        raise GiveUp(
            f"tde.grpc.targets, {name}: {path} cannot be used ({error.strerror or type(error).__name__}):"
            " give readable files in PEM form"
        ) from None


def _content(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()


def _changed(endpoint: Endpoint) -> tuple[int, ...]:
    files = (endpoint.ca_certificate, endpoint.client_certificate, endpoint.client_key)
    try:
        return tuple(path.stat().st_mtime_ns for path in files if path is not None)
    except OSError as error:
        raise GiveUp(
            f"tde.grpc.targets: the certificate or key {error.filename} cannot be used ({error.strerror}); give a"
            " readable file in PEM form"
        ) from None
