"""What a task gives to the grpc TDE, checked before anything is sent."""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Self

from grpc import StatusCode
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

IDEMPOTENCY_KEY = "idempotency-key"

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_METHOD = re.compile(rf"/?(?P<service>{_NAME}(?:\.{_NAME})*)[/.](?P<method>{_NAME})")
_KEY = re.compile(r"[0-9a-z_.-]+")
_NOT_IN_A_VALUE = re.compile(r"[^\x20-\x7e]")
_SET_BY_THE_CLIENT = {"te", "content-type", "user-agent", "host", "connection"}
_SHORTEST_CREDENTIAL = 6
_STATUS_NAMES = frozenset(code.name for code in StatusCode)


@dataclass(frozen=True)
class MethodName:
    """A service's full name and the name of one of its methods."""

    service: str
    method: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads package.Service/Method or package.Service.Method.

        Raises:
            ValueError: it is something else.
        """
        match = _METHOD.fullmatch(text.strip())
        if match is None:
            raise ValueError("this is not the name of a method: write package.Service/Method")
        return cls(match["service"], match["method"])

    def __str__(self) -> str:
        return f"{self.service}/{self.method}"


def _check_method(value: str) -> str:
    return str(MethodName.parse(value))


def _check_metadata(metadata: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
    checked: dict[str, str | list[str]] = {}
    for name, value in metadata.items():
        key = name.lower()
        if not _KEY.fullmatch(key):
            raise ValueError(f"{name[:80]!r} is not a key of metadata: use letters, digits, '.', '_' and '-'")
        if key in _SET_BY_THE_CLIENT or key.startswith("grpc-"):
            raise ValueError(f"the metadata {key} is set by gRPC itself: leave it out")
        if key in checked:
            raise ValueError(f"the metadata {key} is there twice: give one key with a list of values")
        for each in [value] if isinstance(value, str) else value:
            _check_value(each, key)
        checked[key] = value
    return checked


def _check_value(value: str, key: str) -> None:
    if key.endswith("-bin"):
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"the value of the metadata {key} is not base64, as keys in -bin need it") from None
    elif _NOT_IN_A_VALUE.search(value):
        raise ValueError(
            f"the value of the metadata {key} has a line break or a character that is not ASCII; for other bytes, use"
            " a key that ends in -bin and base64"
        )


def _check_status(value: str) -> str:
    name = value.strip().upper()
    if name not in _STATUS_NAMES:
        raise ValueError("this is not a gRPC status: use names such as OK and NOT_FOUND")
    return name


class GrpcInput(BaseModel):
    """A call to make.

    The names are chosen so that no output of an earlier grpc or http task is taken for an input.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    target: str = Field(
        min_length=1,
        description="Which server: a name from tde.grpc.targets of the settings, or host:port.",
        examples=["orders", "orders.example.org:443"],
    )
    method: Annotated[str, AfterValidator(_check_method)] = Field(
        description="The method, as package.Service/Method; package.Service.Method is taken too.",
        examples=["shop.v1.Orders/Get"],
    )
    message: JsonValue = Field(
        default=None,
        repr=False,
        description="The message to send, in protobuf's JSON mapping: an object with the message's fields, 64-bit"
        " numbers and bytes (base64) as text. null means an empty message.",
    )
    metadata: Annotated[dict[str, str | list[str]], AfterValidator(_check_metadata)] | None = Field(
        default=None,
        repr=False,
        description="Metadata to send, such as authorization; a list gives one key several times. Values of keys that"
        " end in -bin are bytes in base64.",
    )
    take_first: int | None = Field(
        default=None,
        ge=1,
        description="For server streaming: end the call after this many messages. Without it the stream is read to its"
        " end, and one of more than tde.grpc.max_messages is an error.",
    )
    expected_status: list[Annotated[str, AfterValidator(_check_status)]] | None = Field(
        default=None,
        min_length=1,
        description="The statuses that count as success. Without it: OK.",
        examples=[["OK", "NOT_FOUND"]],
    )
    time_limit_seconds: float | None = Field(
        default=None,
        gt=0,
        description="A shorter limit for one call than tde.grpc.time_limit_seconds of the settings.",
    )

    @property
    def method_name(self) -> MethodName:
        """The method, taken apart."""
        return MethodName.parse(self.method)

    def sent_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """The metadata as gRPC takes it."""
        return tuple((key, base64.b64decode(value) if key.endswith("-bin") else value) for key, value in self._pairs())

    def credentials(self) -> Iterator[str]:
        """What was sent to prove who asks, so that it can be masked should a server echo it."""
        for _, value in self._pairs():
            yield from (word for word in (value, *value.split()) if len(word) >= _SHORTEST_CREDENTIAL)

    def _pairs(self) -> Iterator[tuple[str, str]]:
        for key, value in (self.metadata or {}).items():
            yield from ((key, each) for each in ([value] if isinstance(value, str) else value))
