"""How to reach a Zeebe gateway: plaintext, TLS, or TLS with pyzeebe's OAuth."""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import grpc.aio

from procos.errors import SettingsError

_ANY_SIZE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """OAuth client credentials (RFC 6749, 4.4) for a gateway."""

    client_id: str
    client_secret: str = field(repr=False)
    authorization_url: str
    audience: str | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Everything needed to open a channel to a gateway; `plaintext` None means: on this machine only."""

    address: str
    plaintext: bool | None = None
    ca_certificate: Path | None = None
    oauth: OAuth | None = None
    tenant_id: str | None = None

    @property
    def host(self) -> str:
        """The gateway's host, without its port."""
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def is_local(self) -> bool:
        """Whether the gateway is on this machine's loopback."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_plaintext(self) -> bool:
        """Whether the channel goes without TLS."""
        return self.is_local if self.plaintext is None else self.plaintext


_STREAM_OPTIONS = (
    ("grpc.http2.lookahead_bytes", 4096),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.keepalive_timeout_ms", 10_000),
)


def open_channel(connection: Connection, *, for_streams: bool = False) -> grpc.aio.Channel:
    """Opens a channel; nothing is sent yet, and it reconnects by itself for ever.

    A channel `for_streams` takes little in advance, because jobs that wait in its buffers are leased, and are worked on
    by nobody; it also notices by itself that a peer is gone.

    Raises:
        SettingsError: the certificate file cannot be read.
    """
    options = (
        # Zeebe's Java client asks as often (ClientProperties.KEEP_ALIVE); a gateway takes more for an attack.
        ("grpc.keepalive_time_ms", 45_000),
        # A gateway that restarts is noticed within seconds; gRPC's own default waits up to two minutes.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        # A batch of jobs may be larger than gRPC's default of 4 MiB for received messages.
        ("grpc.max_receive_message_length", _ANY_SIZE),
        # A proxy of the environment never stands between us and this machine.
        ("grpc.enable_http_proxy", 0 if connection.is_local else 1),
        *(_STREAM_OPTIONS if for_streams else ()),
    )
    if connection.oauth is not None:
        from pyzeebe import create_oauth2_client_credentials_channel  # noqa: PLC0415 - slow to import, see protocol.py

        return create_oauth2_client_credentials_channel(
            grpc_address=connection.address,
            client_id=connection.oauth.client_id,
            client_secret=connection.oauth.client_secret,
            authorization_server=connection.oauth.authorization_url,
            audience=connection.oauth.audience or connection.host,
            scope=connection.oauth.scope,
            channel_credentials=_credentials(connection),
            channel_options=options,
        )
    if connection.is_plaintext:
        return grpc.aio.insecure_channel(connection.address, options)
    return grpc.aio.secure_channel(connection.address, _credentials(connection), options)


def _credentials(connection: Connection) -> grpc.ChannelCredentials:
    if connection.ca_certificate is None:
        return grpc.ssl_channel_credentials()
    try:
        return grpc.ssl_channel_credentials(root_certificates=connection.ca_certificate.read_bytes())
    except OSError as error:
        raise SettingsError(
            f"setting ca_certificate: {connection.ca_certificate} cannot be read: {error.strerror}",
            hint="give a PEM file with the certificate authority of the gateway",
        ) from error
