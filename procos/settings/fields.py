"""Every setting of ProcOS: one frozen class, and the names that the ecosystem's own tools have for some of them."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "PROCOS_"

ECOSYSTEM_NAMES: dict[str, tuple[str, ...]] = {
    "address": (
        "ZEEBE_ADDRESS",
        "ZEEBE_CLIENT_BROKER_GATEWAYADDRESS",
        "ZEEBE_GATEWAY_ADDRESS",
        "CAMUNDA_GATEWAY_ADDRESS",
    ),
    "plaintext": ("ZEEBE_INSECURE_CONNECTION", "ZEEBE_CLIENT_SECURITY_PLAINTEXT"),
    "ca_certificate": ("ZEEBE_CA_CERTIFICATE_PATH", "CAMUNDA_CUSTOM_ROOT_CERT_PATH"),
    "client_id": ("ZEEBE_CLIENT_ID", "CAMUNDA_CLIENT_ID"),
    "client_secret": ("ZEEBE_CLIENT_SECRET", "CAMUNDA_CLIENT_SECRET"),
    "authorization_url": ("ZEEBE_AUTHORIZATION_SERVER_URL", "CAMUNDA_OAUTH_URL"),
    "audience": ("ZEEBE_TOKEN_AUDIENCE", "CAMUNDA_TOKEN_AUDIENCE"),
    "scope": ("ZEEBE_TOKEN_SCOPE", "CAMUNDA_TOKEN_SCOPE"),
    "tenant_id": ("ZEEBE_TENANT_ID", "CAMUNDA_TENANT_ID", "CAMUNDA_DEFAULT_TENANT_ID"),
    "java_home": ("JAVA_HOME",),
    "otlp_endpoint": ("OTEL_EXPORTER_OTLP_ENDPOINT",),
}
"""Variables of the ecosystem's own tools that count when the `PROCOS_` one is not set, first one first.

Source: Zeebe's zbctl and Java client (`io.camunda.zeebe.client.ClientProperties`), Camunda's Node and Python SDKs,
OpenTelemetry's environment variable specification.
"""


class Settings(BaseSettings):
    """All settings; unknown names in the file and unknown `PROCOS_*` variables are errors, so that a typo is seen."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid", validate_default=False
    )

    home: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("procos"),
        description="Folder that holds engine data, state and logs.",
    )
    cache: Path = Field(
        default_factory=lambda: platformdirs.user_cache_path("procos"),
        description="Folder that holds fetched engine distributions; may be shared by several homes.",
    )

    address: str | None = Field(
        default=None,
        description="HOST:PORT of a Zeebe gateway. Unset: ProcOS starts the embedded engine.",
    )
    plaintext: bool | None = Field(
        default=None,
        description="Talk to the gateway without TLS. Unset: yes on this machine, no elsewhere.",
    )
    ca_certificate: Path | None = Field(default=None, description="PEM file with the gateway's certificate authority.")
    client_id: str | None = Field(default=None, description="OAuth client id for the gateway.")
    client_secret: SecretStr | None = Field(default=None, description="OAuth client secret for the gateway.")
    authorization_url: str | None = Field(default=None, description="URL of the OAuth token endpoint.")
    audience: str | None = Field(default=None, description="OAuth audience; unset: the gateway's host.")
    scope: str | None = Field(default=None, description="OAuth scope.")
    tenant_id: str | None = Field(default=None, description="Tenant for all that is deployed, started and worked on.")

    engine_version: str = Field(default="8.6.0", description="Version of the embedded engine: 8.6.0 or 8.5.8.")
    engine_home: Path | None = Field(
        default=None, description="An unpacked Zeebe distribution to use; nothing is fetched."
    )
    engine_heap_mb: int = Field(default=512, ge=128, description="Largest Java heap of the embedded engine, in MiB.")
    engine_port: int | None = Field(
        default=None, ge=1, le=65535, description="Gateway port of the embedded engine. Unset: 26500, or a free one."
    )
    engine_rest_port: int | None = Field(
        default=None, ge=1, le=65535, description="REST port of the embedded engine. Unset: 8080, or a free one."
    )
    engine_monitoring_port: int | None = Field(
        default=None, ge=1, le=65535, description="Monitoring port of the embedded engine. Unset: 9600, or a free one."
    )
    engine_start_timeout: timedelta = Field(
        default=timedelta(minutes=2),
        gt=timedelta(0),
        description="How long the embedded engine may take to become ready (seconds, or ISO 8601).",
    )
    java_home: Path | None = Field(
        default=None,
        description="A Java 21 or newer for the embedded engine. Unset or older: the one that ProcOS brings.",
    )
    maven_repository: str | None = Field(
        default=None, description="Mirror to fetch the engine from instead of Maven Central."
    )

    worker_slots: int = Field(default=32, ge=1, description="How many jobs of one TDE type run at the same time.")
    lease: timedelta = Field(
        default=timedelta(seconds=60),
        gt=timedelta(0),
        description="How long a job stays ours without renewal; a killed worker's jobs come back after it.",
    )
    drain_grace: timedelta = Field(
        default=timedelta(seconds=20),
        ge=timedelta(0),
        description="How long running jobs may take to finish when the kernel stops.",
    )
    secrets_file: Path | None = Field(
        default=None,
        description='TOML file with NAME = "value" lines; secrets also come from PROCOS_SECRET_NAME variables.',
    )
    secrets_granted: dict[str, list[str]] = Field(
        default_factory=dict,
        description="Secrets that single TDEs may use, as lists of names or patterns with *, by the TDE's name. A TDE"
        " that is not named here may use all that it declares.",
    )
    job_streams: bool = Field(
        default=True, description="Have the engine push jobs as they become available, beside polling."
    )
    heartbeat_longest_pause: timedelta = Field(
        default=timedelta(seconds=15),
        ge=timedelta(seconds=1),
        description="How long the heartbeat rests between two scans when nothing happens; it begins with one second.",
    )
    task_lease: timedelta = Field(
        default=timedelta(seconds=60),
        ge=timedelta(seconds=3),
        description="How long an unclaimed task stays with its task run without renewal; it is renewed three times in"
        " that time, and then it is noticed that the task's process was cancelled.",
    )
    unclaimed_grace: timedelta = Field(
        default=timedelta(seconds=5),
        ge=timedelta(0),
        description="How long a task may wait for a foreign worker before the heartbeat takes it.",
    )
    unclaimed_include: list[str] = Field(
        default_factory=lambda: ["*"],
        description="Job types, or patterns with *, that the heartbeat takes when no ProcOS worker is there for them.",
    )
    unclaimed_exclude: list[str] = Field(
        default_factory=list, description="Job types, or patterns with *, that the heartbeat leaves to others."
    )
    routing_threshold: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="How sure the search over the catalogue has to be; below it a chat model or a person is asked.",
    )
    chat_model: str | None = Field(
        default=None,
        description="Chat model for tasks that the search is not sure of, as PROVIDER:NAME. Unset: none is asked.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="State database: postgresql://USER:PASSWORD@HOST:PORT/NAME. Unset: an SQLite file in the home.",
    )
    monitoring_host: str = Field(
        default="127.0.0.1", description="Where /healthz, /readyz and /metrics are served; 0.0.0.0 in a container."
    )
    monitoring_port: int | None = Field(
        default=None, ge=1, le=65535, description="Port of /healthz, /readyz and /metrics. Unset: 9464, or a free one."
    )
    otlp_endpoint: str | None = Field(
        default=None, description="URL of an OpenTelemetry collector (OTLP over HTTP) that spans are sent to."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="How log lines are written: for people, or one JSON object a line."
    )
    tde: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Settings of single TDEs: one table [tde.NAME] each, checked by the TDE itself.",
    )

    @field_validator("home", "cache", "ca_certificate", "engine_home", "java_home", "secrets_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path is not None else None

    @field_validator(
        "engine_start_timeout",
        "lease",
        "drain_grace",
        "heartbeat_longest_pause",
        "unclaimed_grace",
        "task_lease",
        mode="before",
    )
    @classmethod
    def _seconds(cls, value: object) -> object:
        return float(value) if isinstance(value, str) and value.replace(".", "", 1).isdigit() else value

    @field_validator("address")
    @classmethod
    def _host_and_port(cls, address: str | None) -> str | None:
        if not address:
            return None
        scheme, _, rest = address.rpartition("://")
        host, _, port = rest.rstrip("/").rpartition(":")
        if scheme not in {"", "grpc", "grpcs", "http", "https"} or not host or not port.isdigit():
            raise ValueError("give HOST:PORT, for example 127.0.0.1:26500, or grpcs://HOST:PORT for TLS")
        return address.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Values arrive already merged (see `load`), so that each one's source is known."""
        return (init_settings,)
