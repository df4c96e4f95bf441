"""The grpc TDE's own settings: which servers may be called, how they are reached, and the limits of a call."""

import re
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from procos.sdk import GiveUp
from procos_workers.grpc_endpoint import Address, Endpoint
from procos_workers.http_config import HostPattern

_TARGET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _check_address(value: str) -> str:
    Address.parse(value)
    return value


def _check_target_name(value: str) -> str:
    if not _TARGET_NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not a name for a target: use letters, digits, '.', '_' and '-'")
    return value


class GrpcTarget(BaseModel):
    """A server that tasks call by a name: a table `[tde.grpc.targets.NAME]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: Annotated[str, AfterValidator(_check_address)] = Field(
        description="Where the server is, as host:port; an IPv6 address in brackets."
    )
    tls: bool | None = Field(
        default=None,
        description="Whether to speak TLS. Without it: yes, except where the address is this machine's own loopback.",
    )
    ca_certificate: Path | None = Field(
        default=None,
        description="A PEM file with the certificates of the authorities to trust, instead of the usual ones.",
    )
    client_certificate: Path | None = Field(
        default=None, description="A PEM file with the certificate to show to the server, with those that vouch for it."
    )
    client_key: Path | None = Field(default=None, description="A PEM file with the key of client_certificate.")
    server_name: str | None = Field(
        default=None,
        min_length=1,
        description="The name that the server's certificate has to hold, where it is not the address's host.",
    )
    descriptor_files: list[Path] | None = Field(
        default=None, description="Descriptor files for this server, instead of tde.grpc.descriptor_files."
    )

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("client_certificate and client_key go together: give both or neither")
        if self.tls is False and self._is_about_tls:
            raise ValueError("tls is false, so leave out ca_certificate, client_certificate, client_key, server_name")
        return self

    @property
    def _is_about_tls(self) -> bool:
        return any((self.ca_certificate, self.client_certificate, self.server_name))

    def endpoint(self, descriptor_files: list[Path]) -> Endpoint:
        """How to reach the server; `descriptor_files` are those that it has where it names none."""
        address = Address.parse(self.address)
        secure = self.tls if self.tls is not None else self._is_about_tls or not address.is_loopback
        files = descriptor_files if self.descriptor_files is None else self.descriptor_files
        return Endpoint(
            address=address,
            tls=secure,
            ca_certificate=self.ca_certificate,
            client_certificate=self.client_certificate,
            client_key=self.client_key,
            server_name=self.server_name,
            descriptor_files=tuple(files),
        )


class GrpcConfig(BaseModel):
    """The table `[tde.grpc]` of procos.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    targets: dict[Annotated[str, AfterValidator(_check_target_name)], GrpcTarget] = Field(
        default={},
        description="Servers that tasks call by name: a table [tde.grpc.targets.NAME] each. They are always allowed.",
    )
    allow_hosts: list[HostPattern] = Field(
        default=["*"],
        description="Hosts that tasks may call by host:port, as patterns in which * stands for any characters. They are"
        " compared with the host that the task names, not with the addresses that the name stands for. Empty: none.",
    )
    deny_hosts: list[HostPattern] = Field(
        default=[], description="Hosts that tasks may not call by host:port, as patterns; they win over allow_hosts."
    )
    descriptor_files: list[Path] = Field(
        default=[],
        description="Files that describe services, made with `protoc --descriptor_set_out --include_imports`. A service"
        " that none of them has is asked of the server (reflection).",
    )
    max_response_bytes: int = Field(
        default=1024 * 1024,
        gt=0,
        description="The largest answer that is taken, in bytes as they are sent; for a stream all its messages"
        " together. The engine refuses variables of more than 4 MiB, and an answer is larger as JSON.",
    )
    max_messages: int = Field(default=1000, gt=0, description="How many messages of a stream are taken.")
    time_limit_seconds: float = Field(
        default=60,
        gt=0,
        le=240,
        description="How long one call may take, from connecting to the last message. The server is told.",
    )
    connect_limit_seconds: float = Field(
        default=10, gt=0, le=240, description="How long connecting may take, TLS included."
    )
    longest_wait_seconds: float = Field(
        default=30,
        ge=0,
        le=120,
        description="How long one job may wait, in all, to try again after UNAVAILABLE, RESOURCE_EXHAUSTED or a broken"
        " connection. If the server asks for more, the job is given back to the engine and runs again then.",
    )

    def endpoint(self, target: str) -> Endpoint:
        """How to reach `target`: the name of a target, or host:port.

        Raises:
            GiveUp: there is no such target, or the settings do not allow the host.
        """
        named = self.targets.get(target)
        if named is not None:
            return named.endpoint(self.descriptor_files)
        if ":" not in target:
            raise GiveUp(self._unknown(target))
        try:
            address = Address.parse(target)
        except ValueError as error:
            raise GiveUp(f"input 'target' is wrong: {error}") from None
        if not self._permits(address.host):
            raise GiveUp(
                f"the host {address.host} is not allowed; if it should be, name it under tde.grpc.targets, or change"
                " tde.grpc.allow_hosts or tde.grpc.deny_hosts"
            )
        return Endpoint(address=address, tls=not address.is_loopback, descriptor_files=tuple(self.descriptor_files))

    def _permits(self, host: str) -> bool:
        return any(fnmatchcase(host, pattern) for pattern in self.allow_hosts) and not any(
            fnmatchcase(host, pattern) for pattern in self.deny_hosts
        )

    def _unknown(self, target: str) -> str:
        close = get_close_matches(target, self.targets, n=1)
        guess = f"; did you mean {close[0]}?" if close else ""
        known = f" (it has: {', '.join(sorted(self.targets))}{guess})" if self.targets else ""
        return (
            f"there is no target {target[:80]!r} in tde.grpc.targets{known}; give one that is there, or host:port, or"
            " add a table [tde.grpc.targets.NAME] to procos.toml"
        )
