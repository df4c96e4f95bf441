"""gRPC's errors in our words, with the engine's own reason kept."""

import re
from collections.abc import Callable

import grpc
import grpc.aio

from procos.errors import (
    EngineError,
    EngineNotFound,
    EngineOverloaded,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
)

_REJECTION = re.compile(r"^Command '\w+' rejected with code '\w+':\s*")
_TOO_BIG = re.compile(r"exceeds maximum size|larger than max|too large", re.IGNORECASE)
_OVER_BROKERS_LIMIT = re.compile(r"EXCEEDED_BATCH_RECORD_SIZE|above configured maxMessageSize")
"""The broker's own words; its versions send them under different statuses, some with no reason at all."""


def translate(error: grpc.aio.AioRpcError, *, doing: str, address: str) -> EngineError:
    """The `EngineError` for a failed call; `doing` names what was tried ("deploy a.bpmn")."""
    details = (error.details() or "").strip()
    reason = _REJECTION.sub("", details) or details or error.code().name
    if _OVER_BROKERS_LIMIT.search(details):
        return _too_large(reason, doing, address)
    if error.code() in _UNSPECIFIC and _REJECTION.match(details):
        return _rejected(reason, doing, address)
    return _BY_STATUS.get(error.code(), _failed)(reason, doing, address)


def _unavailable(reason: str, doing: str, address: str) -> EngineError:
    return EngineUnavailable(
        f"no Zeebe gateway answers at {address} ({doing}): {_first_line(reason)}",
        hint="`procos status` shows what runs, `procos boot` starts an engine, ZEEBE_ADDRESS names another gateway",
    )


def _timeout(reason: str, doing: str, address: str) -> EngineError:
    return EngineTimeout(f"the engine at {address} did not answer in time ({doing}): {_first_line(reason)}")


def _exhausted(reason: str, doing: str, address: str) -> EngineError:
    if _TOO_BIG.search(reason):
        return _too_large(reason, doing, address)
    return EngineOverloaded(f"the engine at {address} is overloaded ({doing}): {_first_line(reason)}")


def _too_large(reason: str, doing: str, address: str) -> EngineError:  # noqa: ARG001 - one signature for all
    return EngineRejected(
        f"cannot {doing}: the message is larger than the engine takes (4 MiB): {_first_line(reason)}",
        reason=reason,
        hint="keep large data in a file or store, and pass its address in the variable",
    )


def _not_found(reason: str, doing: str, address: str) -> EngineError:
    return EngineNotFound(f"cannot {doing}: {reason} (engine at {address})")


def _rejected(reason: str, doing: str, address: str) -> EngineError:  # noqa: ARG001 - one signature for all
    return EngineRejected(f"cannot {doing}: {reason}", reason=reason)


def _denied(reason: str, doing: str, address: str) -> EngineError:
    return EngineRejected(
        f"cannot {doing}: the gateway at {address} does not let us in: {reason}",
        reason=reason,
        hint="`procos config` shows client_id, authorization_url, audience and tenant_id with their sources",
    )


def _failed(reason: str, doing: str, address: str) -> EngineError:
    return EngineError(f"cannot {doing}: the engine at {address} failed: {reason}")


def _first_line(reason: str) -> str:
    return reason.splitlines()[0] if reason else reason


_UNSPECIFIC = frozenset({grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL})
"""What the gateway calls a rejection by the broker that it has no better name for."""

_BY_STATUS: dict[grpc.StatusCode, Callable[[str, str, str], EngineError]] = {
    grpc.StatusCode.UNAVAILABLE: _unavailable,
    grpc.StatusCode.CANCELLED: _unavailable,
    grpc.StatusCode.ABORTED: _unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: _timeout,
    grpc.StatusCode.RESOURCE_EXHAUSTED: _exhausted,
    grpc.StatusCode.NOT_FOUND: _not_found,
    grpc.StatusCode.INVALID_ARGUMENT: _rejected,
    grpc.StatusCode.FAILED_PRECONDITION: _rejected,
    grpc.StatusCode.ALREADY_EXISTS: _rejected,
    grpc.StatusCode.OUT_OF_RANGE: _rejected,
    grpc.StatusCode.UNAUTHENTICATED: _denied,
    grpc.StatusCode.PERMISSION_DENIED: _denied,
}
