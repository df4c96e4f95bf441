"""Zeebe's gateway protocol: the modules that pyzeebe generated from its gateway.proto, without pyzeebe around them.

Importing the package runs its client, worker and OAuth, none of which is used here, for 8 to 12 MB and 0.15 s in
every process (measured with pyzeebe 4.7.0).
"""

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Final, cast

import grpc.aio

__all__ = ["open_stub", "pb"]

_PACKAGE: Final = "pyzeebe"


@contextlib.contextmanager
def _empty_package() -> Iterator[None]:
    """While it lasts, pyzeebe is a package without a content of its own.

    Whoever imports it later gets the real one, with the same messages: protobuf keeps one class for each.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if _PACKAGE in sys.modules or spec is None:
        yield
        return
    package = ModuleType(_PACKAGE)
    package.__path__ = spec.submodule_search_locations or []
    sys.modules[_PACKAGE] = package
    try:
        yield
    finally:
        for name in [it for it in sys.modules if it.partition(".")[0] == _PACKAGE]:
            del sys.modules[name]


if TYPE_CHECKING:
    from pyzeebe.proto import gateway_pb2 as pb
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub, GatewayStub
else:
    with _empty_package():
        from pyzeebe.proto import gateway_pb2 as pb
        from pyzeebe.proto.gateway_pb2_grpc import GatewayStub


def open_stub(channel: grpc.aio.Channel) -> "GatewayAsyncStub":
    """The gateway's methods on that channel."""
    return cast("GatewayAsyncStub", GatewayStub(channel))
