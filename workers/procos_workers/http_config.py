"""The http TDE's own settings, and the rules about hosts that they hold."""

import ipaddress
import socket
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _check_pattern(pattern: str) -> str:
    tidy = pattern.strip().lower().rstrip(".")
    if not tidy or not tidy.isascii() or "/" in tidy or "[" in tidy or tidy.count(":") == 1:
        raise ValueError(
            f"{pattern!r} is not a pattern for host names: write the name alone, with * for any part of it "
            "(api.example.org, *.example.org, 10.*), without scheme, port or path, in its ASCII form (xn--...)"
        )
    return tidy


HostPattern = Annotated[str, AfterValidator(_check_pattern)]


class HttpConfig(BaseModel):
    """The table `[tde.http]` of procos.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow_hosts: list[HostPattern] = Field(
        default=["*"],
        description="Hosts that may be called, as patterns in which * stands for any characters. They are compared with"
        " the host that the URL names, not with the addresses that the name stands for.",
    )
    deny_hosts: list[HostPattern] = Field(
        default=[], description="Hosts that may not be called, as patterns; they win over allow_hosts."
    )
    max_response_bytes: int = Field(
        default=1024 * 1024,
        gt=0,
        description="The largest body that is taken, unpacked, in bytes. The engine refuses messages of more than"
        " 4 MiB, and binary bodies grow by a third in base64.",
    )
    time_limit_seconds: float = Field(
        default=60, gt=0, le=240, description="How long one request may take, from connecting to the last byte."
    )
    connect_limit_seconds: float = Field(
        default=10, gt=0, le=240, description="How long connecting may take, TLS included."
    )
    longest_wait_seconds: float = Field(
        default=30,
        ge=0,
        le=120,
        description="How long one job may wait, in all, to try again after 429, 503 or a broken connection. If the"
        " server asks for more, the job is given back to the engine and runs again then.",
    )
    follow_redirects: bool = Field(default=True, description="Whether redirects are followed at all.")
    max_redirects: int = Field(default=10, ge=0, le=50, description="How many redirects one request may follow.")
    ca_certificate: Path | None = Field(
        default=None,
        description="A PEM file with certificates of authorities to trust besides the usual ones, for servers with"
        " certificates of your own.",
    )

    def permits(self, url: httpx.URL) -> bool:
        """Whether the URL's host may be called."""
        host = host_name(url)
        return _matches(host, self.allow_hosts) and not _matches(host, self.deny_hosts)


def host_name(url: httpx.URL) -> str:
    """The URL's host in the one spelling that patterns are compared with."""
    host = url.raw_host.decode("ascii").lower().rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _old_spelling(host)
    return str(getattr(address, "ipv4_mapped", None) or address)


def _old_spelling(host: str) -> str:
    # The system's resolver takes 127.1, 0x7f.0.0.1 and 2130706433 for 127.0.0.1, so a pattern has to see that too.
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return host


def _matches(host: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(host, pattern) for pattern in patterns)
