"""Finds a method's description: in descriptor files, or by asking the server; remembers what the server said."""

import asyncio
from dataclasses import dataclass
from typing import Final

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from procos.sdk import GiveUp
from procos_workers.grpc_channels import Connection, Described
from procos_workers.grpc_descriptors import BadDescriptors, Descriptors
from procos_workers.grpc_misfit import UnknownType
from procos_workers.grpc_names import guess, listed
from procos_workers.grpc_reflection_client import NoReflection, Reflection
from procos_workers.grpc_request import MethodName

BELIEVED_SECONDS: Final = 300.0
"""How long a server's description of a service is taken to be current."""


@dataclass(frozen=True)
class Method:
    """A method and where its description comes from."""

    descriptor: MethodDescriptor
    descriptors: Descriptors
    is_remembered: bool

    @property
    def path(self) -> str:
        """The method as it is called."""
        return f"/{self.descriptor.containing_service.full_name}/{self.descriptor.name}"

    @property
    def is_safe(self) -> bool:
        """Whether its author declared that it changes nothing (idempotency_level = NO_SIDE_EFFECTS)."""
        return self._idempotency == MethodOptions.NO_SIDE_EFFECTS

    @property
    def is_idempotent(self) -> bool:
        """Whether its author declared that a second call does no harm."""
        return self._idempotency != MethodOptions.IDEMPOTENCY_UNKNOWN

    @property
    def _idempotency(self) -> int:
        level: int = self.descriptor.GetOptions().idempotency_level
        return level


class Finder:
    """Finds methods for one call, over its connection."""

    def __init__(self, connection: Connection, files: Descriptors | None, reflection: Reflection, where: str) -> None:
        self._connection = connection
        self._files = files
        self._reflection = reflection
        self._where = where

    async def find(self, name: MethodName, *, fresh: bool = False) -> Method:
        """The method's description; `fresh` asks the server even if it is remembered.

        Raises:
            GiveUp: there is no such method, it takes a stream, or nothing describes it.
            AioRpcError: asking the server failed.
        """
        found = None if fresh else self._remembered(name)
        descriptors = found or self._in_files(name.service) or await self._ask(name.service)
        methods = descriptors.pool.FindServiceByName(name.service).methods_by_name
        if name.method not in methods:
            names = sorted(methods)
            raise GiveUp(
                f"{self._where}: {name.service} has no method {name.method}{guess(name.method, names)};"
                f" it has {listed(names) or 'none'}"
            )
        method = methods[name.method]
        if method.client_streaming:
            raise self._takes_a_stream(method)
        return Method(method, descriptors, is_remembered=found is not None)

    async def learn(self, method: Method, unknown: UnknownType) -> None:
        """Asks the server for a type that turned up in an Any; not for a method from a file, whose types are all there.

        Raises:
            GiveUp: the server does not know it either.
            AioRpcError: asking the server failed.
        """
        try:
            if method.descriptors is self._files:
                raise NoReflection  # noqa: TRY301 - what follows is the same
            files = await self._reflection.files_with(unknown.type_name)
            method.descriptors.add(files)
            method.descriptors.pool.FindMessageTypeByName(unknown.type_name)
        except (NoReflection, BadDescriptors, KeyError):
            raise GiveUp(
                f"{self._where}: {unknown}; name a descriptor file that has it in tde.grpc.descriptor_files"
            ) from None

    def _takes_a_stream(self, method: MethodDescriptor) -> GiveUp:
        kind = "bidirectional streaming" if method.server_streaming else "client streaming"
        return GiveUp(
            f"{self._where}: this method takes a stream of messages ({kind}), which the grpc TDE does not send; call a"
            " unary or a server-streaming method, or write a TDE of your own for it"
        )

    def _remembered(self, name: MethodName) -> Descriptors | None:
        described = self._connection.described.get(name.service)
        if described is None or asyncio.get_running_loop().time() - described.at > BELIEVED_SECONDS:
            return None
        service = described.descriptors.service(name.service)
        return described.descriptors if service and name.method in service.methods_by_name else None

    def _in_files(self, service: str) -> Descriptors | None:
        return self._files if self._files and self._files.service(service) else None

    async def _ask(self, service: str) -> Descriptors:
        descriptors = Descriptors()
        try:
            descriptors.add(await self._reflection.files_with(service))
            found = descriptors.service(service)
            known = [] if found else await self._reflection.services()
        except NoReflection:
            raise GiveUp(f"{self._where}: {self._undescribed(service)}") from None
        except BadDescriptors as error:
            raise GiveUp(
                f"{self._where}: the server's description of itself cannot be used: {error}; give a descriptor file in"
                " tde.grpc.descriptor_files"
            ) from None
        if found is None:
            known = sorted({*known, *(self._files.service_names() if self._files else ())})
            offered = f"it offers {listed(known)}" if known else "it names no services at all"
            raise GiveUp(f"{self._where}: the server has no service {service}{guess(service, known)}; {offered}")
        self._connection.described[service] = Described(descriptors, asyncio.get_running_loop().time())
        return descriptors

    def _undescribed(self, service: str) -> str:
        if self._files is None:
            return (
                "the server does not describe its methods (no server reflection); switch that on there, or name a"
                " descriptor file in tde.grpc.descriptor_files"
            )
        known = self._files.service_names()
        return (
            f"no service {service} in tde.grpc.descriptor_files{guess(service, known)}, which have {listed(known)}, and"
            " the server does not describe its methods itself (no server reflection)"
        )
