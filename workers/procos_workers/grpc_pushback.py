"""How long a gRPC server asks to wait before the call is tried again."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from procos_workers.grpc_descriptors import Descriptors

_LONGEST = timedelta(days=1)


@dataclass(frozen=True)
class Pushback:
    """What the server says about another try: wait that long, or `never`; nothing in most cases."""

    wait: timedelta | None = None
    never: bool = False

    @classmethod
    def of(cls, trailers: Iterable[Any]) -> Self:
        """Reads it from the metadata at the end of an answer, pairs of key and value.

        Source: gRFC A6 (grpc-retry-pushback-ms), google.rpc.RetryInfo in grpc-status-details-bin.
        """
        said = dict(trailers)
        pushback, status = said.get("grpc-retry-pushback-ms"), said.get("grpc-status-details-bin")
        if isinstance(pushback, str):
            is_wait = pushback.isascii() and pushback.isdigit()
            return cls(wait=_at_most_a_day(float(pushback[:12]) / 1000)) if is_wait else cls(never=True)
        return cls(wait=_retry_delay(status)) if isinstance(status, bytes) else cls()


def _at_most_a_day(seconds: float) -> timedelta:
    return timedelta(seconds=min(max(seconds, 0), _LONGEST.total_seconds()))


def _retry_delay(status: bytes) -> timedelta | None:
    types = _types()
    try:
        for detail in types["Status"].FromString(status).details:
            if detail.TypeName() == "google.rpc.RetryInfo":
                delay = types["RetryInfo"].FromString(detail.value).retry_delay
                return _at_most_a_day(delay.seconds + delay.nanos / 1e9)
    except DecodeError:
        return None
    return None


@functools.cache
def _types() -> dict[str, type[Any]]:
    # Two messages of google.rpc, in as far as they are needed: not worth a dependency.
    needed = {"Status": ("details", 3, "Any"), "RetryInfo": ("retry_delay", 1, "Duration")}
    file = FileDescriptorProto(name="google/rpc/needed.proto", package="google.rpc", syntax="proto3")
    for message, (field, number, kind) in needed.items():
        file.dependency.append(f"google/protobuf/{kind.lower()}.proto")
        file.message_type.add(name=message).field.add(
            name=field,
            number=number,
            type=FieldDescriptorProto.TYPE_MESSAGE,
            type_name=f".google.protobuf.{kind}",
            label=FieldDescriptorProto.LABEL_REPEATED if kind == "Any" else FieldDescriptorProto.LABEL_OPTIONAL,
        )
    descriptors = Descriptors()
    descriptors.add([file])
    return {name: GetMessageClass(descriptors.pool.FindMessageTypeByName(f"google.rpc.{name}")) for name in needed}
