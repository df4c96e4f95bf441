"""Asks a gRPC server what it offers, by the protocol called server reflection."""

import importlib
from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError
from grpc import StatusCode
from grpc.aio import AioRpcError

from procos.sdk import GiveUp
from procos_workers.grpc_channels import Connection
from procos_workers.grpc_deadline import Deadline
from procos_workers.grpc_descriptors import is_well_known

_PROTOCOLS: Final = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
_MOST_FILES = 2000
_NOT_GRPC = "Received http2 header with status"


class NoReflection(Exception):
    """The server does not offer reflection."""


class Reflection:
    """One call's questions to a server about itself."""

    def __init__(
        self, connection: Connection, metadata: tuple[tuple[str, str | bytes], ...], deadline: Deadline, where: str
    ) -> None:
        self._connection = connection
        self._metadata = metadata
        self._deadline = deadline
        self._where = where

    async def files_with(self, symbol: str) -> list[FileDescriptorProto]:
        """The file that defines the symbol, and all that it imports; empty if the server knows no such symbol.

        Raises:
            NoReflection: the server does not offer this.
            AioRpcError: the call failed.
            GiveUp: the answer makes no sense.
        """
        found = {file.name: file for file in await self._files(file_containing_symbol=symbol)}
        while missing := _missing(found.values()):
            if len(found) > _MOST_FILES:
                raise GiveUp(f"{self._where}: the server describes itself in more than {_MOST_FILES} files")
            more = await self._files(file_by_filename=missing)
            if all(file.name != missing for file in more):
                raise GiveUp(
                    f"{self._where}: the server's description of itself lacks {missing}, which it imports; give a"
                    " descriptor file in tde.grpc.descriptor_files"
                )
            found |= {file.name: file for file in more}
        return list(found.values())

    async def services(self) -> list[str]:
        """The full names of the services that the server offers.

        Raises:
            NoReflection: the server does not offer this.
            AioRpcError: the call failed.
        """
        answer = await self._ask(list_services="")
        return sorted(service.name for service in answer.list_services_response.service)

    async def _files(self, **question: str) -> list[FileDescriptorProto]:
        answer = await self._ask(**question)
        try:
            return [
                FileDescriptorProto.FromString(each) for each in answer.file_descriptor_response.file_descriptor_proto
            ]
        except DecodeError:
            raise GiveUp(f"{self._where}: the server's description of itself cannot be read") from None

    async def _ask(self, **question: str) -> Any:  # noqa: ANN401 - a message of the optional library
        messages = _messages()
        content = messages.ServerReflectionRequest(**question).SerializeToString()
        for protocol in sorted(_PROTOCOLS, key=lambda each: each != self._connection.reflection):
            try:
                answer = await self._exchange(protocol, content)
            except AioRpcError as error:
                if error.code() is not StatusCode.UNIMPLEMENTED or _NOT_GRPC in (error.details() or ""):
                    raise
                continue
            self._connection.reflection = protocol
            return messages.ServerReflectionResponse.FromString(answer)
        raise NoReflection

    async def _exchange(self, protocol: str, content: bytes) -> bytes:
        # The protocol is bidirectional, but one question with one answer looks on the wire like a unary call. With a
        # stream, gRPC's client now and then says INTERNAL where the server said UNIMPLEMENTED (grpc/grpc#36066).
        ask = self._connection.channel.unary_unary(f"/{protocol}/ServerReflectionInfo", None, None)
        call = ask(content, timeout=self._deadline.left, metadata=self._metadata)
        try:
            answer: bytes = await call
            return answer
        finally:
            call.cancel()


def _missing(files: Iterable[FileDescriptorProto]) -> str | None:
    files = list(files)
    there = {file.name for file in files}
    imported = (name for file in files for name in file.dependency)
    return next((name for name in imported if name not in there and not is_well_known(name)), None)


def _messages() -> Any:  # noqa: ANN401 - a module of the optional library
    try:
        return importlib.import_module("grpc_reflection.v1alpha.reflection_pb2")
    except ModuleNotFoundError:
        raise GiveUp(
            "asking a gRPC server for its methods needs the extra 'grpc', which is not installed: pip install"
            " 'procos[grpc]', or name a descriptor file in tde.grpc.descriptor_files"
        ) from None
