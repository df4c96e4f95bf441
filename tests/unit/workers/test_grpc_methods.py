"""How the grpc TDE finds out what a server offers: by reflection, from descriptor files, and what it remembers."""

import sys

import pytest

from procos.sdk import GiveUp
from procos_workers import grpc_methods
from procos_workers.grpc_config import GrpcConfig
from tests.unit.workers.grpc_caller import call, closed_channels, until_connected  # noqa: F401
from tests.unit.workers.grpc_server import ORDERS, compiled, message, order, serving

pytestmark = pytest.mark.anyio

NEXT = ("shop/orders_next.proto",)


async def echo(asked, context):
    return asked


async def get(asked, context):
    return order(order_id=asked.order_id)


def with_files(tmp_path, *contents):
    paths = []
    for number, content in enumerate(contents):
        paths.append(tmp_path / f"{number}.bin")
        paths[-1].write_bytes(content)
    return GrpcConfig(descriptor_files=paths, longest_wait_seconds=0)


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_either_version_of_reflection_will_do(version):
    async with serving(reflected=version, Get=get) as server:
        answer = await call(server.target, "shop.v1.Orders/Get", {"orderId": "A"})
    assert answer.response["orderId"] == "A"


async def test_reflection_is_asked_with_the_tasks_metadata():
    async with serving(Get=get) as server:
        await call(server.target, "shop.v1.Orders/Get", metadata={"authorization": "Bearer t"})
    assert server.reflected_with == [[("authorization", "Bearer t")]]


async def test_a_server_without_reflection_needs_a_descriptor_file(tmp_path):
    async with serving(reflected=None, Get=get) as server:
        with pytest.raises(
            GiveUp, match=r"Get at 127\.0\.0\.1:\d+: the server does not describe its methods.*descriptor_fil"
        ):
            await call(server.target, "shop.v1.Orders/Get")
        answer = await call(
            server.target, "shop.v1.Orders/Get", {"orderId": "A"}, with_files(tmp_path, compiled(*ORDERS))
        )
    assert answer.response["orderId"] == "A"


async def test_what_is_in_a_descriptor_file_is_not_asked_of_the_server(tmp_path):
    async with serving(Get=get) as server:
        await call(server.target, "shop.v1.Orders/Get", {}, with_files(tmp_path, compiled(*ORDERS)))
    assert server.reflections == []


async def test_what_is_not_in_a_descriptor_file_is_asked_of_the_server(tmp_path):
    async with serving(Get=get) as server:
        answer = await call(
            server.target, "shop.v1.Orders/Get", {}, with_files(tmp_path, compiled("shop/strict.proto"))
        )
    assert answer.status == "OK"


async def test_a_type_that_a_descriptor_file_lacks_is_not_taken_from_the_server(tmp_path):
    config = with_files(tmp_path, compiled("shop/orders.proto"))
    voucher = {"@type": "type.googleapis.com/shop.extras.Voucher", "code": "X1"}
    async with serving(Put=echo) as server:
        with pytest.raises(
            GiveUp, match=r"the type shop\.extras\.Voucher in an Any.*name a descriptor file that has it"
        ):
            await call(server.target, "shop.v1.Orders/Put", {"attachment": voucher}, config)
    assert server.reflections == []


async def test_descriptor_files_that_share_an_import_go_together(tmp_path):
    config = with_files(tmp_path, compiled("shop/goods.proto"), compiled(*ORDERS), compiled("shop/strict.proto"))
    async with serving(reflected=None, Put=echo) as server:
        assert (await call(server.target, "shop.v1.Orders/Put", {}, config)).status == "OK"


async def test_a_descriptor_file_that_changed_is_read_again(tmp_path):
    config = with_files(tmp_path, compiled("shop/strict.proto"))
    async with serving(reflected=None, Get=get) as server:
        with pytest.raises(
            GiveUp, match=r"no service shop\.v1\.Orders in tde\.grpc\.descriptor_files, which have shop\.strict"
        ):
            await call(server.target, "shop.v1.Orders/Get", {}, config)
        (tmp_path / "0.bin").write_bytes(compiled(*ORDERS))
        assert (await call(server.target, "shop.v1.Orders/Get", {}, config)).status == "OK"


async def test_a_descriptor_file_without_protobufs_own_imports_will_do(tmp_path):
    config = with_files(tmp_path, compiled("shop/goods.proto", "shop/orders.proto", with_imports=False))
    async with serving(reflected=None, Put=echo) as server:
        assert (await call(server.target, "shop.v1.Orders/Put", {}, config)).status == "OK"


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ((b"syntax = 'proto3';",), "it is not a descriptor file"),
        ((b"",), "it is empty"),
        ((compiled("shop/orders.proto", with_imports=False),), "shop/goods.proto is imported, but not there"),
        ((compiled(*ORDERS), compiled(*NEXT)), "does not fit the others"),
    ],
)
async def test_a_descriptor_file_that_is_none_is_named_with_the_reason(tmp_path, contents, reason):
    config = with_files(tmp_path, *contents)
    with pytest.raises(GiveUp, match=rf"descriptor_files: {config.descriptor_files[-1]} cannot be used: .*{reason}"):
        await call("127.0.0.1:1", "shop.v1.Orders/Get", {}, config)


async def test_a_descriptor_file_that_is_missing_or_a_folder_is_named(tmp_path):
    with pytest.raises(GiveUp, match=r"none\.bin cannot be used: No such file"):
        await call("127.0.0.1:1", "a.B/C", {}, GrpcConfig(descriptor_files=[tmp_path / "none.bin"]))
    with pytest.raises(GiveUp, match=r"cannot be used: Is a directory"):
        await call("127.0.0.1:1", "a.B/C", {}, GrpcConfig(descriptor_files=[tmp_path]))


async def test_an_unknown_method_is_named_with_the_nearest_and_all_that_there_are():
    async with serving(Get=get) as server:
        with pytest.raises(
            GiveUp,
            match=r"shop\.v1\.Orders has no method get \(did you mean Get\?\); it has Chat, Get, Ping, Put, Rena",
        ):
            await call(server.target, "shop.v1.Orders/get")


async def test_an_unknown_service_is_named_with_the_nearest_and_all_that_there_are():
    async with serving(Get=get) as server:
        with pytest.raises(
            GiveUp,
            match=r"the server has no service shop\.v1\.Order \(did you mean shop\.v1\.Orders\?\); it offers",
        ):
            await call(server.target, "shop.v1.Order/Get")  # there is a message of that name


@pytest.mark.parametrize(("method", "kind"), [("Upload", "client streaming"), ("Chat", "bidirectional streaming")])
async def test_a_method_that_takes_a_stream_is_refused(method, kind):
    async with serving(Get=get) as server:
        with pytest.raises(GiveUp, match=rf"takes a stream of messages \({kind}\)"):
            await call(server.target, f"shop.v1.Orders/{method}")


async def test_a_server_is_asked_once_for_a_service():
    async with serving(Get=get, Put=echo) as server:
        for method in ("Get", "Put", "Get"):
            await call(server.target, f"shop.v1.Orders/{method}")
    assert server.reflections == ["file_containing_symbol"]


async def test_a_description_that_is_old_is_asked_for_again(monkeypatch):
    monkeypatch.setattr(grpc_methods, "BELIEVED_SECONDS", -1.0)
    async with serving(Get=get) as server:
        await call(server.target, "shop.v1.Orders/Get")
        await call(server.target, "shop.v1.Orders/Get")
    assert server.reflections == ["file_containing_symbol"] * 2


async def test_a_method_and_a_field_that_are_new_are_found_when_they_are_first_used():
    async def cancel(asked, context):
        return message("shop.v1.Order", NEXT, region=asked.region)

    async with serving(Get=get) as old:
        await call(old.target, "shop.v1.Orders/Get")
    for method in ("Get", "Cancel"):
        async with serving(protos=NEXT, port=old.port, Get=cancel, Cancel=cancel) as new:
            answer = await until_connected(new.target, f"shop.v1.Orders/{method}", {"region": "north"})
        assert answer.response["region"] == "north"


async def test_a_server_that_comes_back_with_the_other_version_of_reflection_is_understood():
    async with serving(reflected="v1", Get=get) as old:
        await call(old.target, "shop.v1.Orders/Get")
    async with serving(protos=NEXT, reflected="v1alpha", port=old.port, Cancel=echo) as new:
        await until_connected(new.target, "shop.v1.Orders/Cancel", expected_status=["OK", "INTERNAL"])
    assert new.reflections == ["file_containing_symbol"]


async def test_a_server_that_describes_itself_file_by_file_is_asked_for_each():
    async with serving(reflected="one by one", Get=get) as server:
        answer = await call(server.target, "shop.v1.Orders/Get", {"orderId": "A"})
    assert answer.response["orderId"] == "A"
    assert server.reflections == ["file_containing_symbol", "file_by_filename"]


async def test_without_the_extra_the_message_names_it_and_descriptor_files_still_work(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "grpc_reflection.v1alpha.reflection_pb2", None)
    async with serving(reflected=None, Get=get) as server:
        with pytest.raises(GiveUp, match=r"needs the extra 'grpc'.*pip install 'procos\[grpc\]'"):
            await call(server.target, "shop.v1.Orders/Get")
        config = with_files(tmp_path, compiled(*ORDERS))
        assert (await call(server.target, "shop.v1.Orders/Get", {}, config)).status == "OK"
