"""gRPC's errors in our words: which kind, what it says, and the engine's own reason in it."""

import grpc
import grpc.aio
import pytest

from procos.adapters.zeebe.grpc_errors import translate
from procos.errors import (
    EngineError,
    EngineNotFound,
    EngineOverloaded,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
)

Status = grpc.StatusCode


def translated(code: grpc.StatusCode, details: str | None, doing: str = "deploy a.bpmn") -> EngineError:
    error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=details)
    return translate(error, doing=doing, address="gateway:26500")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Status.UNAVAILABLE, EngineUnavailable),
        (Status.CANCELLED, EngineUnavailable),
        (Status.DEADLINE_EXCEEDED, EngineTimeout),
        (Status.RESOURCE_EXHAUSTED, EngineOverloaded),
        (Status.NOT_FOUND, EngineNotFound),
        (Status.INVALID_ARGUMENT, EngineRejected),
        (Status.FAILED_PRECONDITION, EngineRejected),
        (Status.ALREADY_EXISTS, EngineRejected),
        (Status.OUT_OF_RANGE, EngineRejected),
        (Status.UNAUTHENTICATED, EngineRejected),
        (Status.PERMISSION_DENIED, EngineRejected),
        (Status.INTERNAL, EngineError),
        (Status.UNKNOWN, EngineError),
        (Status.ABORTED, EngineUnavailable),
        (Status.UNIMPLEMENTED, EngineError),
        (Status.DATA_LOSS, EngineError),
    ],
)
def test_each_status_is_one_kind_of_error_that_says_what_was_tried_and_why_it_failed(code, kind):
    error = translated(code, "the reason")

    assert type(error) is kind
    assert "deploy a.bpmn" in error.message
    assert "the reason" in error.message


def test_every_status_of_grpc_is_translated():
    for code in Status:
        if code is not Status.OK:
            assert code.name in translated(code, None).message, "where there are no details, the status is the reason"


def test_the_engines_own_reason_is_kept_whole_and_without_the_gateways_frame():
    reason = (
        "Expected to deploy new resources, but encountered the following errors:\n"
        "'a.bpmn': - Element: task > extensionElements\n    - ERROR: Must have exactly one task definition"
    )
    error = translated(Status.INVALID_ARGUMENT, f"Command 'CREATE' rejected with code 'INVALID_ARGUMENT': {reason}")

    assert isinstance(error, EngineRejected)
    assert error.reason == reason
    assert error.message == f"cannot deploy a.bpmn: {reason}"


def test_what_is_not_found_is_named():
    error = translated(
        Status.NOT_FOUND,
        "Command 'CREATE' rejected with code 'NOT_FOUND': Expected to find process definition with process ID 'x', "
        "but none found",
        "start an instance of 'x'",
    )

    assert isinstance(error, EngineNotFound)
    assert error.message == (
        "cannot start an instance of 'x': Expected to find process definition with process ID 'x', "
        "but none found (engine at gateway:26500)"
    )


def test_an_engine_that_is_not_there_is_named_with_the_mends():
    error = translated(
        Status.UNAVAILABLE,
        "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:26500: Connection refused\nmore",
    )

    assert error.exit_code == 3
    assert "no Zeebe gateway answers at gateway:26500 (deploy a.bpmn): failed to connect" in error.message
    assert "more" not in error.message
    assert "procos boot" in str(error.hint)
    assert "ZEEBE_ADDRESS" in str(error.hint)


@pytest.mark.parametrize(
    "details",
    [
        "Expected to execute the command on one of the partitions, but all failed; please try again",
        "Reached maximum capacity of requests handled",
        None,
    ],
)
def test_backpressure_is_no_rejection(details):
    assert type(translated(Status.RESOURCE_EXHAUSTED, details)) is EngineOverloaded


@pytest.mark.parametrize(
    ("code", "details"),
    [
        (Status.RESOURCE_EXHAUSTED, "gRPC message exceeds maximum size 4194304: 5000000"),
        (Status.RESOURCE_EXHAUSTED, "CLIENT: Sent message larger than max (5000000 vs. 4194304)"),
        (Status.RESOURCE_EXHAUSTED, "Received message larger than max (5000000 vs. 4194304)"),
        (Status.RESOURCE_EXHAUSTED, "Request size is above configured maxMessageSize."),
        (Status.INVALID_ARGUMENT, "Request size is above configured maxMessageSize."),
        (Status.UNKNOWN, "Command 'COMPLETE' rejected with code 'EXCEEDED_BATCH_RECORD_SIZE': "),
        (Status.INTERNAL, "Command 'COMPLETE' rejected with code 'EXCEEDED_BATCH_RECORD_SIZE': "),
    ],
)
def test_what_is_too_large_is_rejected_for_good_and_says_what_to_do(code, details):
    error = translated(code, details, "deliver the result of job 7")

    assert isinstance(error, EngineRejected), "tried again, it would be too large again"
    assert "larger than the engine takes" in error.message
    assert error.reason == details.strip()
    assert "keep large data in a file or store" in str(error.hint)


@pytest.mark.parametrize("code", [Status.INTERNAL, Status.UNKNOWN])
def test_what_the_broker_itself_rejects_is_a_rejection_whatever_the_gateway_calls_it(code):
    error = translated(code, "Command 'COMPLETE' rejected with code 'PROCESSING_ERROR': Expected to process")

    assert isinstance(error, EngineRejected)
    assert error.reason == "Expected to process"


def test_a_rejection_without_a_reason_keeps_its_code():
    error = translated(Status.FAILED_PRECONDITION, "Command 'FAIL' rejected with code 'INVALID_STATE': ")

    assert isinstance(error, EngineRejected)
    assert "INVALID_STATE" in error.reason


@pytest.mark.parametrize("code", [Status.UNAUTHENTICATED, Status.PERMISSION_DENIED])
def test_a_gateway_that_does_not_let_us_in_points_to_the_settings(code):
    error = translated(code, "token expired")

    assert "the gateway at gateway:26500 does not let us in: token expired" in error.message
    assert "procos config" in str(error.hint)
