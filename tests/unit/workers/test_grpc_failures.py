"""What the grpc TDE makes of refusals, silence, broken connections and cancelled jobs."""

import asyncio
import socket
from datetime import timedelta

import grpc
import pytest

from procos.sdk import GiveUp, RetryLater
from procos_workers.grpc_config import GrpcConfig
from procos_workers.grpc_failure import Explainer, GrpcFailed
from procos_workers.grpc_pushback import Pushback
from procos_workers.repetition import TryAgain
from tests.unit.workers.grpc_caller import NO_WAIT, call, closed_channels, until_connected  # noqa: F401
from tests.unit.workers.grpc_server import message, order, serving

pytestmark = pytest.mark.anyio


SECRET = "t0p-s3cret-token"
USELESS = [
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "FAILED_PRECONDITION",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "DATA_LOSS",
]
MAY_PASS = ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "ABORTED", "INTERNAL", "UNKNOWN", "CANCELLED"]


def refusing(code, details="", trailers=(), times=100):
    left = [None] * times

    async def handle(asked, context):
        if not left:
            return order(order_id="done")
        left.pop()
        return await context.abort(grpc.StatusCode[code], details, trailers)

    return handle


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("code", USELESS)
async def test_a_refusal_gives_up_with_the_servers_words(code):
    async with serving(Put=refusing(code, "größe is wrong\nsee  docs")) as server:
        with pytest.raises(
            GiveUp, match=rf"Orders/Put at 127\.0\.0\.1:\d+: the server answered {code}.*: größe is wrong see"
        ):
            await call(server.target, "shop.v1.Orders/Put")
    assert len(server.asked) == 1


@pytest.mark.parametrize("code", MAY_PASS)
async def test_a_failure_that_may_pass_is_left_to_the_runtimes_retries(code):
    async with serving(Put=refusing(code, "later")) as server:
        with pytest.raises(GrpcFailed, match=rf"the server answered {code}: later"):
            await call(server.target, "shop.v1.Orders/Put")
    assert len(server.asked) == 1


async def test_a_handler_that_breaks_is_a_failure_that_may_pass():
    async def broken(asked, context):
        raise ZeroDivisionError("inside")

    async with serving(Put=broken) as server:
        with pytest.raises(GrpcFailed, match="the server answered UNKNOWN"):
            await call(server.target, "shop.v1.Orders/Put")


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
async def test_a_short_wait_is_kept_inside_the_job(code):
    handler = refusing(code, "busy", (("grpc-retry-pushback-ms", "1"),), times=2)
    async with serving(Put=handler) as server:
        answer = await call(server.target, "shop.v1.Orders/Put", {}, GrpcConfig(longest_wait_seconds=1))
    assert answer.response["orderId"] == "done"
    assert [asked.values("idempotency-key") for asked in server.asked] == [["2251799813685301"]] * 3


async def test_no_more_than_three_calls_are_made_inside_a_job():
    handler = refusing("UNAVAILABLE", "busy", (("grpc-retry-pushback-ms", "1"),))
    async with serving(Put=handler) as server:
        with pytest.raises(RetryLater, match="UNAVAILABLE: busy"):
            await call(server.target, "shop.v1.Orders/Put", {}, GrpcConfig())
    assert len(server.asked) == 3


async def test_a_long_wait_gives_the_job_back_for_that_time():
    handler = refusing("RESOURCE_EXHAUSTED", "busy", (("grpc-retry-pushback-ms", "31000"),))
    async with serving(Put=handler) as server:
        with pytest.raises(RetryLater) as caught:
            await call(server.target, "shop.v1.Orders/Put", {}, GrpcConfig())
    assert caught.value.after == timedelta(seconds=31)
    assert len(server.asked) == 1


async def test_the_wait_in_a_google_status_counts():
    delay = message("google.protobuf.Duration", seconds=90, nanos=500_000_000).SerializeToString()
    retry_info = b"\x0a" + bytes([len(delay)]) + delay
    detail = message("google.protobuf.Any", type_url="type.googleapis.com/google.rpc.RetryInfo", value=retry_info)
    content = detail.SerializeToString()
    status = b"\x08\x08\x1a" + bytes([len(content)]) + content
    async with serving(Put=refusing("UNAVAILABLE", "busy", (("grpc-status-details-bin", status),))) as server:
        with pytest.raises(RetryLater) as caught:
            await call(server.target, "shop.v1.Orders/Put", {}, GrpcConfig())
    assert caught.value.after == timedelta(seconds=90.5)


@pytest.mark.parametrize(
    ("trailers", "expected"),
    [
        ((), Pushback()),
        ((("grpc-retry-pushback-ms", "-1"),), Pushback(never=True)),
        ((("grpc-retry-pushback-ms", "soon"),), Pushback(never=True)),
        ((("grpc-retry-pushback-ms", "9" * 400),), Pushback(wait=timedelta(days=1))),
        ((("grpc-status-details-bin", b"\xff\xff"),), Pushback()),
        ((("grpc-status-details-bin", b""),), Pushback()),
    ],
)
def test_what_a_server_says_of_another_try(trailers, expected):
    assert Pushback.of(trailers) == expected


async def test_a_server_that_wants_no_other_try_gets_none_inside_the_job():
    async with serving(Put=refusing("UNAVAILABLE", "no", (("grpc-retry-pushback-ms", "-1"),))) as server:
        with pytest.raises(GrpcFailed, match="UNAVAILABLE: no"):
            await call(server.target, "shop.v1.Orders/Put", {}, GrpcConfig())
    assert len(server.asked) == 1


async def test_no_server_is_a_failure_that_may_pass():
    with pytest.raises(
        GrpcFailed, match=r"127\.0\.0\.1:\d+ refused the connection; check that the server runs, and the p"
    ):
        await call(f"127.0.0.1:{free_port()}", "shop.v1.Orders/Put")


async def test_a_server_that_came_back_is_reached_again():
    async with serving(Put=refusing("INTERNAL", times=0)) as server:
        await call(server.target, "shop.v1.Orders/Put")
    with pytest.raises(GrpcFailed):
        await call(server.target, "shop.v1.Orders/Put")
    async with serving(port=server.port, Put=refusing("INTERNAL", times=0)):
        answer = await until_connected(server.target, "shop.v1.Orders/Put")
    assert answer.response["orderId"] == "done"


async def test_a_host_name_that_nobody_knows_says_so():
    with pytest.raises(GrpcFailed, match=r"the host name in nowhere\.invalid:50051 cannot be resolved"):
        await call("nowhere.invalid:50051", "shop.v1.Orders/Put")


async def test_a_slow_server_is_told_apart_from_one_that_is_not_there():
    hang = asyncio.Event()

    async def slow(asked, context):
        await hang.wait()

    async with serving(Put=slow) as server:
        with pytest.raises(
            GrpcFailed, match=r"no complete answer within 0\.3 s; check why 127.*tde\.grpc\.time_limit_seco"
        ):
            await call(server.target, "shop.v1.Orders/Put", time_limit_seconds=0.3)


async def test_a_stream_that_stalls_is_stopped_in_time():
    async def stall(asked, context):
        yield order()
        await asyncio.Event().wait()

    async with serving(Watch=stall) as server:
        with pytest.raises(GrpcFailed, match=r"no complete answer within 0\.5 s"):
            await call(server.target, "shop.v1.Orders/Watch", time_limit_seconds=0.5)


async def test_a_port_that_takes_connections_but_says_nothing_is_no_grpc_server():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(GrpcFailed, match=r"did not take the connection within 0\.3 s.*gRPC without TLS"):
            await call(target, "shop.v1.Orders/Put", time_limit_seconds=0.3)


async def test_connecting_has_a_limit_of_its_own():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = GrpcConfig(connect_limit_seconds=0.2, time_limit_seconds=200, longest_wait_seconds=0)
        with pytest.raises(GrpcFailed, match=r"did not take the connection within tde\.grpc\.connect_limit_seconds"):
            await call(f"127.0.0.1:{silent.getsockname()[1]}", "shop.v1.Orders/Put", {}, config)


async def test_an_http_server_is_no_grpc_server():
    async def answer(reader, writer):
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        with pytest.raises(GrpcFailed, match="no gRPC connection without TLS"):
            await call(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", "shop.v1.Orders/Put")


@pytest.mark.parametrize(("method", "calls"), [("Replace", 3), ("Put", 1)])
async def test_only_a_method_declared_idempotent_is_repeated_after_a_broken_connection(method, calls):
    async def drop(asked, context):
        await relay.drop()
        await asyncio.Event().wait()

    async with serving(Put=drop, Replace=drop) as server:
        relay = Relay(server.port)
        async with relay.open() as target:
            with pytest.raises(GrpcFailed, match=r"the connection to .* broke before the answer was complete"):
                await call(target, f"shop.v1.Orders/{method}", {}, GrpcConfig(longest_wait_seconds=5))
    assert len(server.asked) == calls


@pytest.mark.parametrize("state", [grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.IDLE])
@pytest.mark.parametrize("details", ["Socket closed", "Stream removed (Socket closed)"])
@pytest.mark.parametrize(("idempotent", "kind"), [(True, TryAgain), (False, GrpcFailed)])
def test_a_connection_that_broke_is_told_by_its_words_too(state, details, idempotent, kind):
    explainer = Explainer(where="a.B/C at a:1", address="a:1", tls=True, limit=1, max_bytes=1, masked=())
    nothing = grpc.aio.Metadata()
    error = grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, details, None)
    outcome = explainer.explain(error, state, idempotent=idempotent, timed_out=False)
    assert type(outcome) is kind
    assert "the connection to a:1 broke before the answer was complete" in str(outcome)


class Relay:
    """Stands between client and server, and cuts every connection when it is told to."""

    def __init__(self, port):
        self._port = port
        self._writers = []

    def open(self):
        return _Opened(self)

    async def carry(self, reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, back]
        await asyncio.gather(self._copy(reader, back), self._copy(there, writer))

    async def _copy(self, source, sink):
        try:
            while content := await source.read(65536):
                sink.write(content)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()

    async def drop(self):
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


class _Opened:
    def __init__(self, relay):
        self._relay = relay

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._relay.carry, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_):
        await self._relay.drop()
        self._server.close()
        await self._server.wait_closed()


@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "UNAVAILABLE", "INTERNAL"])
async def test_a_credential_that_the_server_echoes_is_masked(code):
    async def echo_back(asked, context):
        said = dict(context.invocation_metadata())["authorization"]
        await context.abort(grpc.StatusCode[code], f"wrong token '{said.split()[1]}' in '{said}'")

    async with serving(Put=echo_back) as server:
        with pytest.raises((GiveUp, GrpcFailed)) as caught:
            await call(server.target, "shop.v1.Orders/Put", metadata={"authorization": f"Bearer {SECRET}"})
    assert SECRET not in str(caught.value)
    assert "wrong token '***'" in str(caught.value)


async def test_long_words_of_a_server_are_cut():
    async with serving(Put=refusing("NOT_FOUND", "x" * 5000)) as server:
        with pytest.raises(GiveUp) as caught:
            await call(server.target, "shop.v1.Orders/Put")
    assert len(str(caught.value)) < 700


async def test_a_message_that_the_server_finds_too_large_gives_up():
    async with serving(Put=refusing("INTERNAL", times=0)) as server:
        with pytest.raises(GiveUp, match=r"RESOURCE_EXHAUSTED \(the message is larger than it takes; send less\)"):
            await call(server.target, "shop.v1.Orders/Put", {"orderId": "x" * 5_000_000})


async def test_a_service_that_reflection_promises_but_the_server_lacks_gives_up():
    async with serving(Get=refusing("INTERNAL")) as server:
        with pytest.raises(GiveUp, match=r"UNIMPLEMENTED \(the server that answered does not offer this method\)"):
            await call(server.target, "shop.v1.Orders/Put")


async def test_a_job_that_is_cancelled_cancels_its_call():
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait(asked, context):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serving(Put=wait) as server:
        job = asyncio.create_task(call(server.target, "shop.v1.Orders/Put", {}, NO_WAIT))
        await asyncio.wait_for(begun.wait(), 30)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        await asyncio.wait_for(ended.wait(), 30)


async def test_a_job_that_is_cancelled_cancels_its_stream():
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait(asked, context):
        yield order()
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serving(Watch=wait) as server:
        job = asyncio.create_task(call(server.target, "shop.v1.Orders/Watch", {}, NO_WAIT))
        await asyncio.wait_for(begun.wait(), 30)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        await asyncio.wait_for(ended.wait(), 30)
