"""Which servers the grpc TDE calls, by which names, and how it connects to them."""

import asyncio

import pytest
from pydantic import ValidationError

from procos.sdk import GiveUp
from procos_workers import grpc_channels
from procos_workers.grpc_channels import close_unused, connected
from procos_workers.grpc_config import GrpcConfig
from procos_workers.grpc_endpoint import Address
from procos_workers.grpc_failure import GrpcFailed
from procos_workers.grpc_request import GrpcInput
from tests.unit.workers.grpc_caller import call, closed_channels  # noqa: F401
from tests.unit.workers.grpc_server import serving
from tests.unit.workers.loopback_server import CERTIFICATE, KEY

pytestmark = pytest.mark.anyio


PUT = "shop.v1.Orders/Put"


async def echo(asked, context):
    return asked


def with_target(address, **fields):
    return GrpcConfig.model_validate(
        {"targets": {"orders": {"address": address, **fields}}, "longest_wait_seconds": 0, "allow_hosts": []}
    )


async def test_a_target_is_called_by_its_name_whatever_hosts_are_allowed():
    async with serving(Put=echo) as server:
        answer = await call("orders", PUT, {"orderId": "A"}, with_target(server.target))
    assert answer.response["orderId"] == "A"


async def test_errors_name_the_target_and_its_address():
    async with serving(Put=echo) as server:
        with pytest.raises(GiveUp, match=rf"^shop\.v1\.Orders/put at orders \({server.target}\): "):
            await call("orders", "shop.v1.Orders/put", {}, with_target(server.target))


async def test_an_unknown_target_is_told_with_those_that_there_are():
    with pytest.raises(
        GiveUp, match=r"no target 'order' in tde\.grpc\.targets \(it has: orders; did you mean orders\?\)"
    ):
        await call("order", PUT, {}, with_target("127.0.0.1:1"))
    with pytest.raises(GiveUp, match=r"no target 'order' in tde\.grpc\.targets; give one that is there, or host:port"):
        await call("order", PUT)


@pytest.mark.parametrize(
    "target",
    ["https://a:1", "a:1/x", "a:b", "a:0", "a:65536", "::1:50051", "user@a:1", ":1", "a b:1", "unix:/x", "[a]:1"],
)
async def test_a_target_that_is_no_address_is_refused(target):
    with pytest.raises(GiveUp, match=r"input 'target' is wrong: .*(is not host:port|broken host name)"):
        await call(target, PUT)


@pytest.mark.parametrize(
    ("text", "host", "whole"),
    [
        ("Orders.Example.ORG.:443", "orders.example.org", "orders.example.org:443"),
        ("[::1]:1", "::1", "[::1]:1"),
        ("[::ffff:127.0.0.1]:1", "127.0.0.1", "127.0.0.1:1"),
        ("0x7f.1:1", "127.0.0.1", "127.0.0.1:1"),
        ("bücher.example:1", "xn--bcher-kva.example", "xn--bcher-kva.example:1"),
    ],
)
def test_an_address_has_one_spelling(text, host, whole):
    address = Address.parse(text)
    assert (address.host, str(address)) == (host, whole)


@pytest.mark.parametrize(
    ("target", "rules"),
    [
        ("orders.example.org:443", {"allow_hosts": ["api.*"]}),
        ("orders.example.org:443", {"deny_hosts": ["*.example.org"]}),
        ("orders.example.org:443", {"allow_hosts": ["*"], "deny_hosts": ["orders.*"]}),
        ("127.1:443", {"deny_hosts": ["127.*"]}),
        ("[::ffff:127.0.0.1]:443", {"deny_hosts": ["127.*"]}),
        ("2130706433:443", {"deny_hosts": ["127.*"]}),
        ("orders.example.org:443", {"allow_hosts": []}),
    ],
)
async def test_a_host_that_the_settings_do_not_allow_is_not_called(target, rules):
    with pytest.raises(GiveUp, match=r"the host .* is not allowed; if it should be"):
        await call(target, PUT, {}, GrpcConfig(**rules))


@pytest.mark.parametrize(
    ("target", "secure"),
    [
        ("127.0.0.1:1", False),
        ("127.9.9.9:1", False),
        ("localhost:1", False),
        ("[::1]:1", False),
        ("orders:1", True),
        ("10.0.0.1:1", True),
        ("localhost.example.org:1", True),
    ],
)
def test_tls_is_spoken_except_on_loopback(target, secure):
    assert GrpcConfig().endpoint(target).tls is secure
    assert with_target(target).endpoint("orders").tls is secure


def test_the_settings_decide_on_tls():
    assert with_target("orders:1", tls=False).endpoint("orders").tls is False
    assert with_target("127.0.0.1:1", tls=True).endpoint("orders").tls is True
    assert with_target("127.0.0.1:1", ca_certificate="ca.pem").endpoint("orders").tls is True


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"address": "orders"}, "is not host:port"),
        ({"address": "a:1", "client_key": "k.pem"}, "go together"),
        ({"address": "a:1", "tls": False, "ca_certificate": "ca.pem"}, "tls is false, so leave out"),
        ({"address": "a:1", "plaintext": True}, "Extra inputs"),
        ({}, "Field required"),
    ],
)
def test_a_wrong_target_in_the_settings_is_refused_at_boot(fields, said):
    with pytest.raises(ValidationError, match=said):
        GrpcConfig.model_validate({"targets": {"orders": fields}})


@pytest.mark.parametrize("name", ["a:1", "", "a b", "a/b"])
def test_a_target_has_a_name_that_is_no_address(name):
    with pytest.raises(ValidationError, match="is not a name for a target"):
        GrpcConfig.model_validate({"targets": {name: {"address": "a:1"}}})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_server_with_a_certificate_of_our_own_is_trusted_when_its_authority_is_named(host):
    async with serving(tls=True, Put=echo) as server:
        config = with_target(f"{host}:{server.port}", ca_certificate=CERTIFICATE)
        assert (await call("orders", PUT, {}, config)).status == "OK"


async def test_a_server_whose_certificate_is_not_trusted_gives_up():
    async with serving(tls=True, Put=echo) as server:
        with pytest.raises(
            GiveUp, match=r"the certificate of 127.* is not trusted \(.*self.signed.*\).*ca_certificate"
        ):
            await call("orders", PUT, {}, with_target(server.target, tls=True))


async def test_a_certificate_for_another_name_gives_up_unless_that_name_is_expected():
    async with serving(tls=True, Put=echo) as server:
        fields = {"ca_certificate": CERTIFICATE}
        with pytest.raises(GiveUp, match=r"is not trusted \(it is for another host name\).*server_name"):
            await call("orders", PUT, {}, with_target(server.target, **fields, server_name="other.example"))
        config = with_target(server.target, **fields, server_name="localhost")
        assert (await call("orders", PUT, {}, config)).status == "OK"


async def test_a_client_certificate_is_shown():
    own = {"client_certificate": CERTIFICATE, "client_key": KEY}
    async with serving(tls=True, client_ca=CERTIFICATE.read_bytes(), Put=echo) as server:
        config = with_target(server.target, ca_certificate=CERTIFICATE, **own)
        assert (await call("orders", PUT, {}, config)).status == "OK"
        with pytest.raises(GrpcFailed, match=r"no gRPC connection with TLS|broke before the answer"):
            await call("orders", PUT, {}, with_target(server.target, ca_certificate=CERTIFICATE))


async def test_tls_towards_a_server_without_it_and_the_other_way_round_say_so():
    async with serving(Put=echo) as plain, serving(tls=True, Put=echo) as secure:
        with pytest.raises(GrpcFailed, match="no gRPC connection with TLS to 127"):
            await call("orders", PUT, {}, with_target(plain.target, tls=True))
        with pytest.raises(GrpcFailed, match="no gRPC connection without TLS to 127"):
            await call(secure.target, PUT)


@pytest.mark.parametrize("name", ["ca_certificate", "client_certificate"])
async def test_a_certificate_file_that_cannot_be_used_is_named(tmp_path, name):
    other = {"client_key": KEY} if name == "client_certificate" else {}
    missing = tmp_path / "none.pem"
    with pytest.raises(GiveUp, match=rf"{missing} cannot be used \(No such file"):
        await call("orders", PUT, {}, with_target("a:1", **{name: missing}, **other))
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no certificate")
    with pytest.raises(GiveUp, match=rf"tde\.grpc\.targets, .*{name}.*: {garbage} cannot be used"):
        await call("orders", PUT, {}, with_target("a:1", **{name: garbage}, **other))


async def test_calls_to_one_server_share_a_connection_and_unused_ones_can_be_closed():
    config = GrpcConfig()
    endpoint = config.endpoint("127.0.0.1:1")
    async with connected(endpoint, config) as one, connected(endpoint, config) as two:
        assert one is two
        await close_unused()  # both are in use
        async with connected(endpoint, config) as three:
            assert three is one
    await close_unused()
    async with connected(endpoint, config) as four:
        assert four is not one


async def test_a_connection_that_nobody_uses_is_closed_after_a_while(monkeypatch):
    monkeypatch.setattr(grpc_channels, "KEPT_SECONDS", 0.0)
    config = GrpcConfig()
    endpoint = config.endpoint("127.0.0.1:1")
    async with connected(endpoint, config) as one:
        pass
    while not one.channel._channel.closed():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)
    async with connected(endpoint, config) as two:
        assert two is not one


def test_an_event_loop_that_is_gone_takes_its_connections_along():
    config = GrpcConfig()
    endpoint = config.endpoint("127.0.0.1:1")

    async def connect():
        async with connected(endpoint, config) as connection:
            return connection

    assert asyncio.run(connect()) is not asyncio.run(connect())
    assert sum(loop.is_closed() for loop in grpc_channels._open) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"method": "Get"}, "write package.Service/Method"),
        ({"method": ""}, "write package.Service/Method"),
        ({"method": "a.B/C/D"}, "write package.Service/Method"),
        ({"method": "a..B/C"}, "write package.Service/Method"),
        ({"target": ""}, "at least 1 character"),
        ({"metadata": {"a b": "x"}}, "'a b' is not a key of metadata"),
        ({"metadata": {"grpc-timeout": "1S"}}, "is set by gRPC itself"),
        ({"metadata": {"A": "x", "a": "y"}}, "is there twice"),
        ({"metadata": {"a": "s3cret\n"}}, "the value of the metadata a has a line break"),
        ({"metadata": {"a": "größe"}}, "not ASCII"),
        ({"metadata": {"a-bin": "s3cret!"}}, "the value of the metadata a-bin is not base64"),
        ({"expected_status": ["FINE"]}, "use names such as OK"),
        ({"expected_status": []}, "at least 1 item"),
        ({"take_first": 0}, "greater than or equal to 1"),
        ({"time_limit_seconds": 0}, "greater than 0"),
    ],
)
def test_a_wrong_input_is_refused_without_its_value(fields, said):
    with pytest.raises(ValidationError, match=said) as caught:
        GrpcInput.model_validate({"target": "a:1", "method": "a.B/C", **fields})
    assert "s3cret" not in str(caught.value)


def test_message_and_metadata_are_not_shown_when_an_input_is_printed():
    shown = repr(GrpcInput(target="a:1", method="a.B/C", message={"a": "s3cret"}, metadata={"b": "s3cret"}))
    assert "s3cret" not in shown
