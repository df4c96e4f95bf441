"""What a gRPC server answers: read up to the limits, and made into a process's variables."""

import base64
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from grpc import StatusCode
from grpc.aio import AioRpcError, Channel, Metadata
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from procos.sdk import GiveUp
from procos_workers.grpc_failure import too_large

Pairs = Iterable[Any]  # of key and value; the stubs know two classes for them, and neither is right


class GrpcOutput(BaseModel):
    """The server's answer."""

    model_config = ConfigDict(extra="forbid")

    status: str = Field(description="The status by its name: OK, or another one that the task expects.")
    status_message: str = Field(default="", description="What the server says about a status other than OK.")
    response: JsonValue = Field(
        default=None,
        description="The answer of a unary method, in protobuf's JSON mapping: names in lowerCamelCase, 64-bit numbers"
        " and bytes (base64) as text, fields that are not set with their defaults.",
    )
    responses: list[JsonValue] | None = Field(
        default=None, description="The answers of a server-streaming method, in their order; null for a unary method."
    )
    truncated: bool = Field(
        default=False, description="Whether the stream was left after `take_first` messages; there may have been more."
    )
    headers: dict[str, str] = Field(
        description="The metadata before the answer; repeated keys joined by , and values of keys in -bin as base64."
    )
    trailers: dict[str, str] = Field(description="The metadata after the answer, in the same form.")
    elapsed_ms: int = Field(ge=0, description="From sending the message to the end of the answer, in ms.")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to call, and how much of the answer to take."""

    path: str
    is_stream: bool
    message: bytes
    metadata: tuple[tuple[str, str | bytes], ...]
    where: str
    seconds: float
    max_bytes: int
    max_messages: int
    take_first: int | None
    expected: frozenset[StatusCode]


@dataclass
class Answer:
    """An answer as it came, not yet understood."""

    messages: list[bytes] = field(default_factory=list)
    status: StatusCode = StatusCode.OK
    status_message: str = ""
    is_cut: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)
    elapsed_ms: int = 0

    def as_output(self, parsed: list[JsonValue], *, is_stream: bool) -> GrpcOutput:
        """The answer for the process, with its messages as `parsed`."""
        return GrpcOutput(
            status=self.status.name,
            status_message=self.status_message,
            response=parsed[0] if parsed and not is_stream else None,
            responses=parsed if is_stream else None,
            truncated=self.is_cut,
            headers=self.headers,
            trailers=self.trailers,
            elapsed_ms=self.elapsed_ms,
        )


async def exchange(channel: Channel, wanted: Wanted) -> Answer:
    """Makes the call; it is cancelled if it is left before its end.

    Raises:
        AioRpcError: it ended with a status that is not expected.
        GiveUp: there are more messages or more bytes than are taken.
    """
    started = time.monotonic()
    answer = Answer()
    try:
        await (_stream if wanted.is_stream else _unary)(channel, wanted, answer)
    except AioRpcError as error:
        if error.code() not in wanted.expected:
            raise
        answer.status, answer.status_message = error.code(), error.details() or ""
        answer.headers, answer.trailers = _readable(error.initial_metadata()), _readable(error.trailing_metadata())
    answer.elapsed_ms = round((time.monotonic() - started) * 1000)
    return answer


async def _unary(channel: Channel, wanted: Wanted, answer: Answer) -> None:
    call = channel.unary_unary(wanted.path, None, None)(
        wanted.message, timeout=wanted.seconds, metadata=wanted.metadata
    )
    try:
        message = await call
        if len(message) > wanted.max_bytes:
            raise too_large(wanted.where, wanted.max_bytes)
        answer.messages.append(message)
        await _take_metadata(call.initial_metadata, call.trailing_metadata, answer)
    finally:
        call.cancel()


async def _stream(channel: Channel, wanted: Wanted, answer: Answer) -> None:
    call = channel.unary_stream(wanted.path, None, None)(
        wanted.message, timeout=wanted.seconds, metadata=wanted.metadata
    )
    taken_bytes = 0
    try:
        async for message in call:
            taken_bytes += len(message)
            if taken_bytes > wanted.max_bytes:
                raise too_large(wanted.where, wanted.max_bytes)
            if len(answer.messages) == wanted.max_messages:
                raise _too_many(wanted)
            answer.messages.append(message)
            if len(answer.messages) == wanted.take_first:
                answer.is_cut = True
                answer.headers = _readable(await call.initial_metadata())
                return
        await _take_metadata(call.initial_metadata, call.trailing_metadata, answer)
    finally:
        call.cancel()


def _too_many(wanted: Wanted) -> GiveUp:
    return GiveUp(
        f"{wanted.where}: the stream has more than {wanted.max_messages} messages; give take_first if the first ones"
        " are enough, ask for less (a page, a filter), or raise tde.grpc.max_messages"
    )


async def _take_metadata(
    headers: Callable[[], Awaitable[Metadata]], trailers: Callable[[], Awaitable[Metadata]], answer: Answer
) -> None:
    answer.headers, answer.trailers = _readable(await headers()), _readable(await trailers())


def _readable(metadata: Pairs) -> dict[str, str]:
    joined: dict[str, str] = {}
    for key, value in metadata:
        text = value if isinstance(value, str) else base64.b64encode(value).decode("ascii")
        joined[key] = f"{joined[key]},{text}" if key in joined else text
    return joined
