"""What the grpc TDE sends to a real server, and what it gives back."""

import asyncio

import grpc
import pytest

from procos.sdk import GiveUp
from procos_workers.grpc_config import GrpcConfig
from tests.unit.workers.grpc_caller import call, closed_channels  # noqa: F401
from tests.unit.workers.grpc_server import message, order, serving

pytestmark = pytest.mark.anyio

EVERYTHING = {
    "orderId": "größe 日本 🎉",
    "totalCents": "9007199254740993",
    "serial": "18446744073709551615",
    "weight": 2.5,
    "paid": True,
    "signature": "AP8=",
    "size": "LARGE",
    "items": [{"name": "pear", "count": 2, "size": "SMALL", "parts": []}],
    "byName": {"ä": {"name": "", "count": 0, "size": "SIZE_UNKNOWN", "parts": []}},
    "notes": {"-1": "minus"},
    "placedAt": "2026-01-31T12:00:00Z",
    "delay": "1.500s",
    "extra": {"any": ["json", None, 1.0, {"x": True}]},
    "attachment": {"@type": "type.googleapis.com/shop.v1.Item", "name": "a", "count": 1, "size": "SMALL", "parts": []},
    "rating": 5,
    "street": "Hauptstraße 1",
    "nickname": "",
    "mainItem": {"name": "main", "count": 0, "size": "SIZE_UNKNOWN", "parts": []},
    "codes": [1, -2],
}


async def echo(asked, context):
    return asked


async def watch_three(asked, context):
    for number in range(3):
        yield order(order_id=f"{asked.order_id}-{number}")


async def test_a_unary_call_gives_the_answer_as_json():
    async def get(asked, context):
        return order(order_id=asked.order_id, paid=True)

    async with serving(Get=get) as server:
        answer = await call(server.target, "shop.v1.Orders/Get", {"orderId": "A-7"})
    assert (answer.status, answer.status_message, answer.responses, answer.truncated) == ("OK", "", None, False)
    assert (answer.response["orderId"], answer.response["paid"]) == ("A-7", True)
    assert [asked.message.order_id for asked in server.asked] == ["A-7"]


async def test_every_kind_of_field_goes_out_and_comes_back():
    async with serving(Put=echo) as server:
        answer = await call(server.target, "shop.v1.Orders/Put", EVERYTHING)
    assert answer.response == EVERYTHING
    sent = server.asked[0].message
    assert (sent.order_id, sent.total_cents, sent.signature) == ("größe 日本 🎉", 9007199254740993, b"\x00\xff")


async def test_fields_may_be_named_as_in_the_proto_and_numbers_given_as_numbers():
    async with serving(Put=echo) as server:
        answer = await call(server.target, "shop.v1.Orders/Put", {"order_id": "A", "total_cents": 12, "size": 2})
    assert (answer.response["orderId"], answer.response["totalCents"], answer.response["size"]) == ("A", "12", "LARGE")


async def test_fields_that_the_server_did_not_set_have_their_defaults_but_no_message_is_made_up():
    async with serving(Put=echo) as server:
        answer = await call(server.target, "shop.v1.Orders/Put")
    assert (answer.response["paid"], answer.response["items"], answer.response["totalCents"]) == (False, [], "0")
    assert not {"placedAt", "mainItem", "street", "nickname"} & set(answer.response)


@pytest.mark.parametrize("empty", [None, {}])
async def test_an_empty_message_is_sent_and_comes_back_as_an_empty_object(empty):
    async with serving(Ping=echo) as server:
        answer = await call(server.target, "shop.v1.Orders/Ping", empty)
    assert (answer.status, answer.response) == ("OK", {})


async def test_a_message_that_json_writes_as_plain_text_is_given_as_that():
    async with serving(Rename=echo) as server:
        answer = await call(server.target, "shop.v1.Orders/Rename", "neu")
    assert answer.response == "neu"


async def test_a_type_that_only_an_any_mentions_is_asked_of_the_server():
    voucher = {"@type": "type.googleapis.com/shop.extras.Voucher", "code": "X1"}
    async with serving(Put=echo) as server:
        answer = await call(server.target, "shop.v1.Orders/Put", {"attachment": voucher})
    assert answer.response["attachment"] == voucher


async def test_an_answer_with_a_type_that_nobody_knows_says_so():
    async def get(asked, context):
        lost = message("google.protobuf.Any", type_url="type.googleapis.com/lost.Thing", value=b"\x0a\x01a")
        return order(attachment=lost)

    async with serving(Get=get) as server:
        with pytest.raises(GiveUp, match=r"a message of the type lost\.Thing in an Any.*descriptor_files"):
            await call(server.target, "shop.v1.Orders/Get")


async def test_the_messages_of_a_stream_come_as_a_list():
    async with serving(Watch=watch_three) as server:
        answer = await call(server.target, "shop.v1.Orders/Watch", {"orderId": "A"})
    assert [each["orderId"] for each in answer.responses] == ["A-0", "A-1", "A-2"]
    assert (answer.status, answer.response, answer.truncated) == ("OK", None, False)


async def test_to_take_the_first_of_a_single_answer_is_refused():
    async with serving(Put=echo) as server:
        with pytest.raises(GiveUp, match="take_first is for methods that answer with a stream"):
            await call(server.target, "shop.v1.Orders/Put", take_first=1)
    assert server.asked == []


async def test_a_stream_without_messages_is_an_empty_list():
    async def nothing(asked, context):
        for each in ():
            yield each

    async with serving(Watch=nothing) as server:
        answer = await call(server.target, "shop.v1.Orders/Watch")
    assert (answer.status, answer.responses) == ("OK", [])


async def test_a_stream_that_never_ends_is_left_after_as_many_messages_as_asked_for():
    left = asyncio.Event()

    async def endless(asked, context):
        await context.send_initial_metadata((("x-from", "here"),))
        context.add_done_callback(lambda _: left.set())
        number = 0
        while True:
            yield order(order_id=str(number))
            number += 1

    async with serving(Watch=endless) as server:
        answer = await call(server.target, "shop.v1.Orders/Watch", take_first=2)
        await asyncio.wait_for(left.wait(), 30)
    assert [each["orderId"] for each in answer.responses] == ["0", "1"]
    assert (answer.status, answer.truncated, answer.headers["x-from"]) == ("OK", True, "here")


@pytest.mark.parametrize(
    ("limits", "setting"),
    [({"max_messages": 2}, "more than 2 messages.*max_messages"), ({"max_response_bytes": 8}, "max_response_bytes")],
)
async def test_a_stream_over_the_settings_limits_is_refused_rather_than_cut(limits, setting):
    async with serving(Watch=watch_three) as server:
        with pytest.raises(GiveUp, match=setting):
            await call(server.target, "shop.v1.Orders/Watch", {"orderId": "A"}, GrpcConfig(**limits))


async def test_a_stream_of_just_as_many_messages_as_allowed_is_taken():
    async with serving(Watch=watch_three) as server:
        answer = await call(server.target, "shop.v1.Orders/Watch", {}, GrpcConfig(max_messages=3))
    assert len(answer.responses) == 3


@pytest.mark.parametrize("size", [2000, 20_000_000])
async def test_an_answer_that_is_too_large_is_refused(size):
    async def get(asked, context):
        return order(signature=b"x" * size)

    async with serving(Get=get) as server:
        with pytest.raises(GiveUp, match=r"the answer is larger than 1000 bytes.*tde\.grpc\.max_response_bytes"):
            await call(server.target, "shop.v1.Orders/Get", config=GrpcConfig(max_response_bytes=1000))


async def test_metadata_is_sent_in_lower_case_repeated_and_as_bytes():
    sent = {"Authorization": "Bearer t", "x-many": ["a", "b"], "x-raw-bin": "AP8="}
    async with serving(Put=echo) as server:
        await call(server.target, "shop.v1.Orders/Put", metadata=sent)
    asked = server.asked[0]
    assert asked.values("authorization") == ["Bearer t"]
    assert asked.values("x-many") == ["a", "b"]
    assert asked.values("x-raw-bin") == [b"\x00\xff"]


async def test_headers_and_trailers_of_the_answer_are_given_back():
    async def get(asked, context):
        await context.send_initial_metadata((("x-id", "7"), ("x-id", "8")))
        context.set_trailing_metadata((("x-cost", "1"), ("x-raw-bin", b"\x00\xff")))
        return order()

    async with serving(Get=get) as server:
        answer = await call(server.target, "shop.v1.Orders/Get")
    assert answer.headers["x-id"] == "7,8"
    assert (answer.trailers["x-cost"], answer.trailers["x-raw-bin"]) == ("1", "AP8=")


@pytest.mark.parametrize("method", ["Put", "Replace"])
async def test_a_method_that_changes_something_gets_the_jobs_idempotency_key(method):
    async with serving(Put=echo, Replace=echo) as server:
        await call(server.target, f"shop.v1.Orders/{method}")
        await call(server.target, f"shop.v1.Orders/{method}", metadata={"Idempotency-Key": "mine"})
    assert [asked.values("idempotency-key") for asked in server.asked] == [["2251799813685301"], ["mine"]]


async def test_a_method_declared_free_of_side_effects_gets_no_idempotency_key():
    async with serving(Get=lambda _, context: echo(order(), context)) as server:
        await call(server.target, "shop.v1.Orders/Get")
    assert server.asked[0].values("idempotency-key") == []


async def test_the_server_is_told_how_much_time_there_is():
    async with serving(Put=echo) as server:
        await call(server.target, "shop.v1.Orders/Put")
        await call(server.target, "shop.v1.Orders/Put", time_limit_seconds=7)
    assert 50 < server.asked[0].seconds < 61
    assert 0 < server.asked[1].seconds < 8


async def test_a_method_may_be_written_with_a_dot_or_a_leading_slash():
    async with serving(Put=echo) as server:
        for method in ("shop.v1.Orders.Put", "/shop.v1.Orders/Put"):
            await call(server.target, method)
    assert [asked.method for asked in server.asked] == ["Put", "Put"]


async def test_a_status_that_the_task_expects_is_a_result():
    async def get(asked, context):
        context.set_trailing_metadata((("x-why", "gone"),))
        await context.abort(grpc.StatusCode.NOT_FOUND, "no order A")

    async with serving(Get=get) as server:
        answer = await call(server.target, "shop.v1.Orders/Get", expected_status=["ok", "NOT_FOUND"])
    assert (answer.status, answer.status_message, answer.response) == ("NOT_FOUND", "no order A", None)
    assert answer.trailers["x-why"] == "gone"


async def test_messages_before_an_expected_status_are_kept():
    async def watch(asked, context):
        yield order(order_id="A")
        await context.abort(grpc.StatusCode.OUT_OF_RANGE, "that was all")

    async with serving(Watch=watch) as server:
        answer = await call(server.target, "shop.v1.Orders/Watch", expected_status=["OUT_OF_RANGE"])
    assert (answer.status, [each["orderId"] for each in answer.responses]) == ("OUT_OF_RANGE", ["A"])


async def test_success_that_the_task_does_not_expect_gives_up():
    async with serving(Put=echo) as server:
        with pytest.raises(GiveUp, match=r"answered OK \(not among expected_status\)"):
            await call(server.target, "shop.v1.Orders/Put", expected_status=["NOT_FOUND"])


async def test_an_answer_of_another_type_than_described_says_so():
    async def get(asked, context):
        return b"\xff\xff\xff"

    async with serving(Get=get) as server:
        with pytest.raises(GiveUp, match=r"the answer cannot be used: it is not a message of the type shop\.v1\.Order"):
            await call(server.target, "shop.v1.Orders/Get")


async def test_numbers_that_json_lacks_come_as_text():
    async def get(asked, context):
        return message("shop.v1.Order", weight=float("inf"))

    async with serving(Get=get) as server:
        answer = await call(server.target, "shop.v1.Orders/Get")
    assert answer.response["weight"] == "Infinity"
