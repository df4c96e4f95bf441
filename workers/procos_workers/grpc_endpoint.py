"""Where a gRPC server is and how it is reached: address, TLS, descriptor files."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from procos_workers.http_config import host_name

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/@?#%\\:\[\]]+):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65535


@dataclass(frozen=True)
class Address:
    """A host, in the one spelling that patterns are compared with, and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads host:port; an IPv6 address stands in brackets.

        Raises:
            ValueError: it is something else.
        """
        match = _ADDRESS.fullmatch(text.strip())
        if match is None or not 0 < int(match["port"]) <= _LAST_PORT:
            raise ValueError(
                f"{text[:80]!r} is not host:port: write a host and a port alone (orders.example.org:443,"
                " [::1]:50051), without scheme or path"
            )
        try:
            host = host_name(httpx.URL(f"https://{match['host']}"))
        except httpx.InvalidURL:
            host = ""
        if not host:
            raise ValueError(f"{text[:80]!r} has a broken host name")
        return cls(host, int(match["port"]))

    @property
    def is_loopback(self) -> bool:
        """Whether this is the worker's own machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A server, and what is needed to speak with it."""

    address: Address
    tls: bool
    ca_certificate: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    server_name: str | None = None
    descriptor_files: tuple[Path, ...] = ()
