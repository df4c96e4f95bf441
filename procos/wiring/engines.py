"""Which engine: the embedded one of a home, or a gateway somewhere."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from procos.adapters.embedded.broker import EmbeddedEngine
from procos.adapters.embedded.catalogue import DISTRIBUTIONS
from procos.adapters.embedded.distribution import installed
from procos.adapters.embedded.options import EngineOptions
from procos.adapters.record_log import RecordLog
from procos.adapters.zeebe.connection import Connection, OAuth, open_channel
from procos.adapters.zeebe.gateway import ZeebeGateway
from procos.adapters.zeebe.jobs import ZeebeJobs
from procos.errors import EngineUnavailable, SettingsError
from procos.ports.engine import Engine
from procos.ports.jobs import JobSource
from procos.ports.records import RecordSource
from procos.settings import Settings


@dataclass(frozen=True)
class EngineSession:
    """An open connection to one engine; `records` only where this machine has its record log.

    `engine_id` tells the engine from others whose job keys may be the same.
    """

    engine: Engine
    jobs: JobSource
    records: RecordSource | None
    engine_id: str


def embedded_engine(settings: Settings) -> EmbeddedEngine:
    """The embedded engine of the home; nothing is started."""
    return EmbeddedEngine(
        EngineOptions(
            home=settings.home,
            cache=settings.cache,
            version=settings.engine_version,
            engine_home=settings.engine_home,
            heap_mb=settings.engine_heap_mb,
            port=settings.engine_port,
            rest_port=settings.engine_rest_port,
            monitoring_port=settings.engine_monitoring_port,
            maven_repository=settings.maven_repository,
            java_home=settings.java_home,
            start_timeout=settings.engine_start_timeout,
        )
    )


def licence_notice(settings: Settings) -> str | None:
    """What to tell a person before the engine is fetched, or None when nothing will be."""
    facts = DISTRIBUTIONS.get(settings.engine_version)
    if facts is None or settings.address or settings.engine_home or installed(facts.version, cache=settings.cache):
        return None
    size = f"{facts.size / 1024**2:.0f} MiB"
    return f"Zeebe {facts.version} will be fetched, once ({size}). It is Camunda's, under the {facts.licence}."


@contextlib.asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[EngineSession]:
    """Connects to the gateway of the settings, or else to the engine that runs in the home.

    Raises:
        EngineUnavailable: no gateway is set and no engine runs in the home.
    """
    if settings.address:
        async with connect_to(connection_to(settings, settings.address)) as session:
            yield session
        return
    embedded = embedded_engine(settings)
    running = embedded.status()
    if running is None:
        raise EngineUnavailable(
            f"no engine runs in {settings.home}",
            hint="`procos boot` starts one; ZEEBE_ADDRESS names another gateway, --home another home",
        )
    connection, records = connection_to(settings, running.address), RecordLog(embedded.record_log_path)
    async with connect_to(connection, records=records, engine_id=embedded.data_id) as session:
        yield session


@contextlib.asynccontextmanager
async def connect_to(
    connection: Connection, records: RecordSource | None = None, *, engine_id: str | None = None
) -> AsyncIterator[EngineSession]:
    """Opens channels for as long as the context lasts; without an `engine_id` the gateway's address serves."""
    channel, streams = open_channel(connection), open_channel(connection, for_streams=True)
    engine = ZeebeGateway(channel, address=connection.address, tenant_id=connection.tenant_id)
    try:
        jobs = ZeebeJobs(channel, streams=streams, address=connection.address, tenant_id=connection.tenant_id)
        yield EngineSession(engine, jobs, records, engine_id or connection.address)
    finally:
        await streams.close(None)
        await engine.close()


def connection_to(settings: Settings, address: str) -> Connection:
    """How to reach the gateway at `address` by the settings; a scheme in front of it decides about TLS.

    Raises:
        SettingsError: the login is incomplete, or would be sent without TLS.
    """
    scheme, _, rest = address.rpartition("://")
    plaintext = _PLAINTEXT_OF.get(scheme, settings.plaintext)
    oauth = _oauth(settings)
    if oauth and plaintext:
        raise SettingsError(
            "setting client_id is there, but the gateway is to be reached without TLS: a login is not sent so",
            hint="remove plaintext, or client_id; `procos config` shows where each comes from",
        )
    return Connection(
        address=rest.rstrip("/"),
        plaintext=plaintext,
        ca_certificate=settings.ca_certificate,
        oauth=oauth,
        tenant_id=settings.tenant_id,
    )


_PLAINTEXT_OF = {"grpc": True, "http": True, "grpcs": False, "https": False}
"""What the scheme of an address says; without one the setting counts."""


def _oauth(settings: Settings) -> OAuth | None:
    if settings.client_id is None or settings.address is None:
        return None
    if settings.client_secret is None or settings.authorization_url is None:
        raise SettingsError(
            "setting client_id is there, but client_secret or authorization_url is missing",
            hint="all three make an OAuth login; `procos config` shows where each comes from",
        )
    return OAuth(
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        authorization_url=settings.authorization_url,
        audience=settings.audience,
        scope=settings.scope,
    )
