"""A real gRPC server on loopback, which does what the test says and remembers what it was asked."""

import functools
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.reflection import aio as reflection
from grpc_tools import protoc

from tests.unit.workers.loopback_server import CERTIFICATE, KEY

PROTOS = Path(__file__).parent / "grpc_protos"
ORDERS = ("shop/orders.proto", "shop/extras.proto")

Handler = Callable[..., Any]


@dataclass(frozen=True)
class Asked:
    """One call as it came in; `seconds` is what the client says is left of its time."""

    method: str
    message: Any
    metadata: list[tuple[str, Any]]
    seconds: float

    def values(self, key: str) -> list[Any]:
        return [value for each, value in self.metadata if each == key]


@functools.cache
def compiled(*names: str, with_imports: bool = True) -> bytes:
    """The protos as a descriptor file holds them."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set.bin"
        known = str(files("grpc_tools") / "_proto")
        options = ["--include_imports"] if with_imports else []
        status = protoc.main(["", f"-I{PROTOS}", f"-I{known}", f"--descriptor_set_out={out}", *options, *names])
        assert status == 0
        return out.read_bytes()


@functools.cache
def pool_of(*names: str) -> DescriptorPool:
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(compiled(*names)).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def message(name: str, protos: tuple[str, ...] = ORDERS, **fields: Any) -> Any:
    return GetMessageClass(pool_of(*protos).FindMessageTypeByName(name))(**fields)


def order(**fields: Any) -> Any:
    return message("shop.v1.Order", **fields)


@dataclass
class GrpcServer:
    """The running server."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    reflections: list[str] = field(default_factory=list)
    reflected_with: list[list[tuple[str, Any]]] = field(default_factory=list)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"


@asynccontextmanager
async def serving(
    *,
    service: str = "shop.v1.Orders",
    protos: tuple[str, ...] = ORDERS,
    reflected: str | None = "v1alpha",
    tls: bool = False,
    client_ca: bytes | None = None,
    port: int = 0,
    **handlers: Handler,
) -> AsyncIterator[GrpcServer]:
    """Runs a server; a handler takes the message and the context, and returns a message or yields several."""
    running = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server = GrpcServer()
    pool = pool_of(*protos)
    described = pool.FindServiceByName(service)
    methods = {name: _handler(described.methods_by_name[name], handlers[name], server) for name in handlers}
    running.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
    if reflected:
        running.add_generic_rpc_handlers((_Reflection(service, pool, reflected, server),))
    address = f"127.0.0.1:{port}"
    if tls:
        keys = [(KEY.read_bytes(), CERTIFICATE.read_bytes())]
        credentials = grpc.ssl_server_credentials(keys, client_ca, client_ca is not None)
        server.port = running.add_secure_port(address, credentials)
    else:
        server.port = running.add_insecure_port(address)
    await running.start()
    try:
        yield server
    finally:
        await running.stop(None)


def _handler(method: Any, handler: Handler, server: GrpcServer) -> Any:
    def remember(asked: Any, context: Any) -> None:
        metadata = [(key, value) for key, value in context.invocation_metadata()]
        server.asked.append(Asked(method.name, asked, metadata, context.time_remaining()))

    async def one(asked: Any, context: Any) -> Any:
        remember(asked, context)
        return await handler(asked, context)

    async def many(asked: Any, context: Any) -> Any:
        remember(asked, context)
        async for answer in handler(asked, context):
            yield answer

    make = grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
    return make(
        many if method.server_streaming else one,
        request_deserializer=GetMessageClass(method.input_type).FromString,
        response_serializer=lambda answer: answer if isinstance(answer, bytes) else answer.SerializeToString(),
    )


class _Reflection(grpc.GenericRpcHandler):
    """Reflection in one of its two versions, which differ in the name only."""

    def __init__(self, service: str, pool: DescriptorPool, version: str, server: GrpcServer) -> None:
        from grpc_reflection.v1alpha import reflection_pb2

        one_by_one = version == "one by one"
        protocol = f"grpc.reflection.{'v1' if one_by_one else version}.ServerReflection"
        self._path = f"/{protocol}/ServerReflectionInfo"
        servicer = reflection.ReflectionServicer([service, protocol], pool)

        async def noted(questions: Any) -> AsyncIterator[Any]:
            async for question in questions:
                server.reflections.append(question.WhichOneof("message_request"))
                yield question

        async def ask(questions: Any, context: Any) -> AsyncIterator[Any]:
            sent = [(key, value) for key, value in context.invocation_metadata() if key != "user-agent"]
            server.reflected_with.append(sent)
            async for answer in servicer.ServerReflectionInfo(noted(questions), context):
                if one_by_one:
                    del answer.file_descriptor_response.file_descriptor_proto[1:]
                yield answer

        self._handler = grpc.stream_stream_rpc_method_handler(
            ask,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )

    def service(self, details: Any) -> Any:
        return self._handler if details.method == self._path else None
