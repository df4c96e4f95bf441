"""The TDE `grpc`: calls a method of a gRPC server with JSON and gives its answer to the process."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from grpc import StatusCode
from grpc.aio import AioRpcError
from pydantic import JsonValue

from procos.sdk import GiveUp, TaskContext, tde
from procos_workers.grpc_answer import GrpcOutput, Wanted, exchange
from procos_workers.grpc_channels import Connection, connected
from procos_workers.grpc_config import GrpcConfig
from procos_workers.grpc_deadline import Deadline
from procos_workers.grpc_descriptors import from_files
from procos_workers.grpc_endpoint import Endpoint
from procos_workers.grpc_failure import Explainer
from procos_workers.grpc_json import decode, encode
from procos_workers.grpc_methods import Finder, Method
from procos_workers.grpc_misfit import Misfit, UnknownType
from procos_workers.grpc_reflection_client import Reflection
from procos_workers.grpc_request import IDEMPOTENCY_KEY, GrpcInput
from procos_workers.repetition import repeated

T = TypeVar("T")

_MOST_UNKNOWN_TYPES = 20
# Three calls of 240 s and 120 s of waiting, the most that the settings allow, end within this.
_TIME_LIMIT = timedelta(minutes=15)


@tde(
    "grpc",
    description="Calls a gRPC method: sends a message given as JSON, gives back the answer or a stream of answers",
    config=GrpcConfig,
    time_limit=_TIME_LIMIT,
    secrets=("*",),
    examples=("Get the order from the order service over gRPC", "Call a method of a gRPC API"),
)
async def grpc_call(request: GrpcInput, context: TaskContext[GrpcConfig]) -> GrpcOutput:
    """Calls a method, and again where the server says "not now" and the wait is short.

    Errors name method, target and status and quote the server, never the message or the metadata that was sent.

    Raises:
        GiveUp: the server refuses (INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED and the like), its answer is too
            large, the method or a field is not there, the method takes a stream, the server's certificate is not
            trusted, or the settings do not allow the host.
        RetryLater: the server asks for a longer wait than `longest_wait_seconds`; no slot is held meanwhile.
        GrpcFailed: anything that may pass: UNAVAILABLE, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, ABORTED, INTERNAL,
            UNKNOWN, CANCELLED, no connection, no answer in time.
    """
    longest_wait = timedelta(seconds=context.config.longest_wait_seconds)
    return await repeated(lambda: _Call(request, context).make(), longest_wait=longest_wait)


class _Call:
    """One attempt."""

    def __init__(self, request: GrpcInput, context: TaskContext[GrpcConfig]) -> None:
        config = context.config
        self._request = request
        self._config = config
        self._idempotency_key = context.idempotency_key
        self._endpoint = config.endpoint(request.target)
        self._deadline = Deadline(
            min(config.time_limit_seconds, request.time_limit_seconds or config.time_limit_seconds)
        )
        self._where = f"{request.method} at {_named(request.target, self._endpoint)}"
        self._is_idempotent = True  # until the method itself is called

    async def make(self) -> GrpcOutput:
        files = from_files(self._endpoint.descriptor_files)
        async with connected(self._endpoint, self._config) as connection:
            reflection = Reflection(connection, self._request.sent_metadata(), self._deadline, self._where)
            finder = Finder(connection, files, reflection, self._where)
            try:
                return await self._call(connection, finder)
            except AioRpcError as error:
                raise self._explained(error, connection) from None

    async def _call(self, connection: Connection, finder: Finder) -> GrpcOutput:
        method, message = await self._prepare(finder)
        if self._request.take_first is not None and not method.descriptor.server_streaming:
            raise GiveUp(f"{self._where}: take_first is for methods that answer with a stream; leave it out")
        self._is_idempotent = method.is_idempotent
        answer = await exchange(connection.channel, self._wanted(method, message))
        if answer.status not in self._expected:
            raise self._explainer().unexpected_success()
        parsed = [await self._decoded(content, method, finder) for content in answer.messages]
        return answer.as_output(parsed, is_stream=method.descriptor.server_streaming)

    async def _prepare(self, finder: Finder) -> tuple[Method, bytes]:
        method = await finder.find(self._request.method_name)
        if method.is_remembered:
            try:
                return method, await self._encoded(method, finder)
            except Misfit:
                method = await finder.find(self._request.method_name, fresh=True)  # it may have changed meanwhile
        try:
            return method, await self._encoded(method, finder)
        except Misfit as misfit:
            raise GiveUp(f"{self._where}: the message does not fit: {misfit}") from None

    async def _encoded(self, method: Method, finder: Finder) -> bytes:
        pool = method.descriptors.pool
        return await self._with_types(
            lambda: encode(self._request.message, method.descriptor.input_type, pool), method, finder
        )

    async def _decoded(self, content: bytes, method: Method, finder: Finder) -> JsonValue:
        pool = method.descriptors.pool
        try:
            return await self._with_types(lambda: decode(content, method.descriptor.output_type, pool), method, finder)
        except Misfit as misfit:
            raise GiveUp(f"{self._where}: the answer cannot be used: {misfit}") from None

    async def _with_types(self, work: Callable[[], T], method: Method, finder: Finder) -> T:
        for _ in range(_MOST_UNKNOWN_TYPES):
            try:
                return work()
            except UnknownType as unknown:
                await finder.learn(method, unknown)
        return work()

    def _wanted(self, method: Method, message: bytes) -> Wanted:
        metadata = self._request.sent_metadata()
        if not method.is_safe and all(key != IDEMPOTENCY_KEY for key, _ in metadata):
            metadata += ((IDEMPOTENCY_KEY, self._idempotency_key),)
        return Wanted(
            path=method.path,
            is_stream=method.descriptor.server_streaming,
            message=message,
            metadata=metadata,
            where=self._where,
            seconds=self._deadline.left,
            max_bytes=self._config.max_response_bytes,
            max_messages=self._config.max_messages,
            take_first=self._request.take_first,
            expected=self._expected,
        )

    @property
    def _expected(self) -> frozenset[StatusCode]:
        return frozenset(StatusCode[name] for name in self._request.expected_status or ("OK",))

    def _explained(self, error: AioRpcError, connection: Connection) -> Exception:
        state = connection.channel.get_state()
        return self._explainer().explain(error, state, idempotent=self._is_idempotent, timed_out=self._deadline.is_over)

    def _explainer(self) -> Explainer:
        return Explainer(
            where=self._where,
            address=str(self._endpoint.address),
            tls=self._endpoint.tls,
            limit=self._deadline.seconds,
            max_bytes=self._config.max_response_bytes,
            masked=self._request.credentials(),
        )


def _named(target: str, endpoint: Endpoint) -> str:
    return str(endpoint.address) if ":" in target else f"{target} ({endpoint.address})"
