"""Which ports the engine listens on, all of them on loopback."""

import errno
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from procos.adapters.embedded.options import EngineOptions
from procos.errors import EngineError

LOOPBACK = "127.0.0.1"

_STEP = 10
_STEPS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The five ports of a broker with its gateway; the defaults are Zeebe's own."""

    gateway: int = 26500
    command: int = 26501
    internal: int = 26502
    rest: int = 8080
    monitoring: int = 9600


def pinned_ports(options: EngineOptions) -> dict[str, int]:
    """The ports that the options fix, by the names that `Ports` has for them."""
    given = {"gateway": options.port, "rest": options.rest_port, "monitoring": options.monitoring_port}
    return {name: port for name, port in given.items() if port is not None}


def refuse_unusable_pins(options: EngineOptions) -> None:
    """Refuses a pinned port that cannot be listened on.

    Raises:
        EngineError: names what holds it where the system tells.
    """
    for name, port in pinned_ports(options).items():
        error = _bind_error(port)
        if error is not None:
            raise _unusable(name, port, error)


@contextmanager
def reserved_ports(options: EngineOptions) -> Iterator[Ports]:
    """Chooses the ports and keeps other starts of engines, in whatever home, from choosing them too, until it is left.

    Pinned ports are taken as they are; the others are Zeebe's defaults where they are free, else the next free ones.
    An engine takes its ports only seconds after they were chosen, so that looking whether they are free is not enough.

    Raises:
        EngineError: a pinned port, or every port that was tried, is taken.
    """
    with ExitStack() as reservations:
        chosen: dict[str, int] = {}
        refuse_unusable_pins(options)
        for name, port in pinned_ports(options).items():
            if not _reserve(port, reservations):
                raise _taken(name, port, " by another engine that starts just now")
            chosen[name] = port
        for name, default in asdict(Ports()).items():
            if name not in chosen:
                chosen[name] = _reserve_next_free(default, reservations)
        yield Ports(**chosen)


def _reserve_next_free(default: int, reservations: ExitStack) -> int:
    # Steps of ten are Zeebe's own habit for several brokers on one machine, and stay below the range from which the
    # system takes ports for outgoing connections.
    for port in range(default, default + _STEP * _STEPS, _STEP):
        if _bind_error(port) is None and _reserve(port, reservations):
            return port
    raise EngineError(
        f"no free port: tried {default} to {default + _STEP * (_STEPS - 1)} in steps of {_STEP}",
        hint="stop what listens there, or give the ports of the engine yourself",
    )


def _reserve(port: int, reservations: ExitStack) -> bool:
    # Ports belong to the machine, not to a home or a cache; and a folder per user, as nobody else could lock its files.
    folder = Path(tempfile.gettempdir()) / f"procos-ports-{os.getuid()}"
    hint = "remove that folder, or make it yours and writable"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.lstat().st_uid != os.getuid():
            raise EngineError(f"{folder}, where ports are reserved, belongs to somebody else", hint=hint)
        reservations.enter_context(FileLock(folder / f"{port}.lock").acquire(timeout=0))
    except Timeout:
        return False
    except OSError as error:
        raise EngineError(f"ports cannot be reserved in {folder}: {error.strerror or error}", hint=hint) from error
    return True


def _bind_error(port: int) -> OSError | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the engine does: connections of a stopped broker that linger must not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return error
    return None


def _unusable(name: str, port: int, error: OSError) -> EngineError:
    if error.errno == errno.EADDRINUSE:
        return _taken(name, port, _holder(port))
    return EngineError(
        f"port {port}, wanted for the engine's {name} server, cannot be used: {error.strerror}",
        hint="give another port, or none: then a free one is found",
    )


def _taken(name: str, port: int, by: str) -> EngineError:
    return EngineError(
        f"port {port}, wanted for the engine's {name} server, is taken{by}",
        hint="stop what holds it, or give another port, or none: then a free one is found",
    )


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections(kind="tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if listens and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:  # who holds it is told only where the system lets us see it
        return ""
    return ""
