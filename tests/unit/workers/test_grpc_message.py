"""What the grpc TDE says about a message that does not fit: the field, what is expected, and never a value."""

import pytest

from procos.sdk import GiveUp
from procos_workers.grpc_json import encode
from procos_workers.grpc_misfit import Misfit
from tests.unit.workers.grpc_caller import call, closed_channels  # noqa: F401
from tests.unit.workers.grpc_server import ORDERS, pool_of, serving

pytestmark = pytest.mark.anyio

SECRET = "t0p-s3cret"
STRICT = ("shop/strict.proto",)


def misfit(value, name="shop.v1.Order", protos=ORDERS):
    pool = pool_of(*protos)
    with pytest.raises(Misfit) as caught:
        encode(value, pool.FindMessageTypeByName(name), pool)
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("value", ["text", 1, True, [], [{}]])
def test_a_message_is_an_object(value):
    assert misfit(value) == "message: expected an object (shop.v1.Order)"


def test_an_unknown_field_is_named_with_the_nearest_and_all_that_are_known():
    said = misfit({"orderID": SECRET})
    assert said.startswith(
        "message: shop.v1.Order has no field 'orderID' (did you mean orderId?); it has orderId, total"
    )
    assert said.endswith(", codes")


def test_an_unknown_field_far_inside_is_named_with_its_path():
    assert misfit({"items": [{}, {"parts": [{"nam": SECRET}]}]}) == (
        "message.items.1.parts.0: shop.v1.Item has no field 'nam' (did you mean name?); it has name, count, size, parts"
    )


def test_a_field_for_a_message_without_fields_is_told_so():
    assert (
        misfit({"a": 1}, "google.protobuf.Empty")
        == "message: google.protobuf.Empty has no field 'a'; it has no fields at all"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"orderId": 7}, "message.orderId: expected text"),
        ({"totalCents": SECRET}, "message.totalCents: expected a 64-bit whole number, as text"),
        ({"totalCents": "9223372036854775808"}, "message.totalCents: expected a 64-bit whole number, as text"),
        ({"serial": -1}, "message.serial: expected a 64-bit whole number, not negative, as text"),
        ({"weight": SECRET}, "message.weight: expected a number"),
        ({"paid": "yes"}, "message.paid: expected true or false"),
        ({"signature": SECRET + "!"}, "message.signature: expected bytes, as text in base64"),
        ({"signature": "é"}, "message.signature: expected bytes, as text in base64"),
        ({"signature": "AAAAA"}, "message.signature: expected bytes, as text in base64"),
        ({"mainItem": []}, "message.mainItem: expected an object (shop.v1.Item)"),
        ({"byName": {"a": ""}}, "message.byName.a: expected an object (shop.v1.Item)"),
        ({"items": [{"parts": [[]]}]}, "message.items.0.parts.0: expected an object (shop.v1.Item)"),
        ({"size": SECRET}, "message.size: expected one of SIZE_UNKNOWN, SMALL, LARGE"),
        ({"items": SECRET}, "message.items: expected an array"),
        ({"items": [{}, SECRET]}, "message.items.1: expected an object (shop.v1.Item)"),
        ({"items": [None]}, "message.items.0: expected an object (shop.v1.Item)"),
        ({"items": [{"count": 2**31}]}, "message.items.0.count: expected a 32-bit whole number"),
        ({"codes": [1, SECRET]}, "message.codes.1: expected a 32-bit whole number"),
        ({"byName": [SECRET]}, "message.byName: expected an object"),
        ({"byName": {"a": {"count": SECRET}}}, "message.byName.a.count: expected a 32-bit whole number"),
        (
            {"notes": {SECRET: "x"}},
            "message.notes: an entry does not fit, expected a 32-bit whole number as key and text as value",
        ),
        (
            {"placedAt": SECRET},
            'message.placedAt: expected a moment, as text such as "2026-01-31T12:00:00Z"',
        ),
        ({"delay": SECRET}, 'message.delay: expected a duration in seconds, as text such as "1.5s"'),
        ({"extra": SECRET}, "message.extra: expected an object"),
        ({"rating": SECRET}, "message.rating: expected a 32-bit whole number"),
        ({"mainItem": SECRET}, "message.mainItem: expected an object (shop.v1.Item)"),
        ({"attachment": {"code": SECRET}}, 'message.attachment: expected an object with "@type"'),
        ({"street": "a", "pickup": {}}, "message: give only one of street, pickup"),
        ({"orderId": "a", "order_id": "b"}, "message.order_id: given twice, in two spellings"),
        ({"[no.such.extension]": SECRET}, "message.[no.such.extension]: there is no such extension"),
        ({"orderId": "half \ud83d"}, "message.orderId: expected text"),
        ({"weight": 1e400}, "message.weight: expected a number"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(value, said):
    assert misfit(value).startswith(said)


@pytest.mark.parametrize("text", ["", "AP8=", "AP8", "-_-_", "+/+/"])
def test_bytes_may_be_in_either_alphabet_with_or_without_padding(text):
    pool = pool_of(*ORDERS)
    assert encode({"signature": text}, pool.FindMessageTypeByName("shop.v1.Order"), pool) is not None


def test_a_message_that_is_too_deep_is_refused():
    deep = {}
    for _ in range(500):
        deep = {"parts": [deep]}
    assert misfit({"items": [deep]}) == "it is nested more than 100 deep"


def test_required_fields_that_are_missing_are_named():
    assert "name" in misfit({"age": 1}, "shop.strict.Form", STRICT)


async def test_a_misfit_gives_up_before_anything_is_sent():
    async with serving(Put=lambda asked, _: asked) as server:
        with pytest.raises(
            GiveUp, match=r"Orders/Put at 127.*: the message does not fit: message\.paid: expected true"
        ):
            await call(server.target, "shop.v1.Orders/Put", {"paid": SECRET})
    assert server.asked == []
