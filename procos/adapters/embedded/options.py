"""What the embedded engine is started with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from procos.errors import UsageError

_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Settings of one embedded engine.

    `home` is PROCOS_HOME; the engine keeps everything in its folder `engine`. `cache` holds the distributions, apart
    from any home. A port that is given is pinned: the start fails when it is taken. `port` is the gateway's. With
    `engine_home`, that distribution runs, `version` is read from it, and nothing is fetched. `maven_repository` is the
    address of a mirror. `exporters_env` are environment variables of the broker that configure further exporters.
    `clock_controlled` lets tests move the engine's time. `heap_mb` is in MiB.

    Raises:
        UsageError: a value is out of range.
    """

    home: Path
    cache: Path
    version: str = "8.6.0"
    engine_home: Path | None = None
    heap_mb: int = 512
    port: int | None = None
    rest_port: int | None = None
    monitoring_port: int | None = None
    maven_repository: str | None = None
    java_home: Path | None = None
    start_timeout: timedelta = timedelta(minutes=2)
    exporters_env: Mapping[str, str] = field(default_factory=dict)
    clock_controlled: bool = False

    def __post_init__(self) -> None:
        pinned = [port for port in (self.port, self.rest_port, self.monitoring_port) if port is not None]
        for port in pinned:
            if not 1 <= port <= _HIGHEST_PORT:
                raise UsageError(f"engine port {port}: a port is a number from 1 to {_HIGHEST_PORT}")
        if len(set(pinned)) < len(pinned):
            raise UsageError(
                f"two of the engine's ports are the same ({', '.join(map(str, pinned))})", hint="give each its own port"
            )
        if self.heap_mb < 1:
            raise UsageError(f"engine heap {self.heap_mb} MiB: give a number above 0; 512 suits most uses")
        if self.start_timeout <= timedelta(0):
            raise UsageError("the engine's start timeout must be longer than 0 seconds")
