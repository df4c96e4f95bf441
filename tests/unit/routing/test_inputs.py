"""A TDE's inputs, from variables and from the text."""

from typing import Any

import pytest

from procos.kernel.plugins import discover
from procos.routing.inputs import FilledInputs, fill_inputs
from tests.unit.routing.doubles import TEXT, schema

URI = {"type": "string", "format": "uri"}
ADDRESS = {"type": "string", "format": "email"}
INTEGER = {"type": "integer"}


def filled(of: dict[str, Any], text: str = "", /, **variables: Any) -> FilledInputs:
    return fill_inputs(of, variables, text)


def test_a_variable_of_the_same_name_is_the_input_whatever_it_holds() -> None:
    done = filled(schema("subject", "to"), subject=7, other=1)
    assert (done.inputs, done.missing) == ({"subject": 7}, ("to",))
    assert done.reasons == ("inputs: subject from variables of the same name", "inputs: missing: to")


def test_null_is_a_value_only_where_it_may_be() -> None:
    nullable = {"anyOf": [TEXT, {"type": "null"}]}
    done = filled(schema("a", "b", b=nullable, c=TEXT), a=None, b=None, c=None)
    assert (done.inputs, done.missing) == ({"b": None}, ("a",))


@pytest.mark.parametrize("name", ["customerId", "CustomerID", "customer-id", "CUSTOMER_ID"])
def test_case_hyphens_and_underscores_do_not_count(name: str) -> None:
    done = filled(schema("customer_id"), **{name: "c7"})
    assert done.inputs == {"customer_id": "c7"}
    assert done.reasons == (f"inputs: customer_id from the variable {name}",)


def test_a_name_that_is_only_alike_has_to_be_the_only_one_and_of_the_type() -> None:
    assert filled(schema("customer_id"), customerId="a", CustomerId="b").missing == ("customer_id",)
    assert filled(schema("customer_id"), customerId=7).missing == ("customer_id",)
    assert filled(schema("customer_id"), customerId=None).missing == ("customer_id",)
    assert filled(schema("a_b", "ab"), aB="x").missing == ("a_b", "ab")
    assert filled(schema("n", n={"type": "number"}), N=7).inputs == {"n": 7}


def test_the_same_name_counts_more_than_a_name_that_is_alike() -> None:
    assert filled(schema("to_all"), to_all="right", toAll="wrong").inputs == {"to_all": "right"}


def test_a_tde_that_takes_everything_gets_everything() -> None:
    done = filled(schema("a") | {"additionalProperties": True}, A="x", rest=[1])
    assert done.inputs == {"a": "x", "rest": [1]}


def test_references_and_a_schema_that_holds_itself_are_followed() -> None:
    of = schema("node", node={"$ref": "#/$defs/Node"}) | {
        "$defs": {"Node": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "string", "format": "uri"}]}}
    }
    assert filled(of, NODE="x").inputs == {"node": "x"}


def test_a_url_in_the_text_is_the_one_input_that_takes_urls() -> None:
    done = filled(schema("target", target=URI), "See (https://example.com/a_(b)?c=1), please.")
    assert done.inputs == {"target": "https://example.com/a_(b)?c=1"}
    assert done.reasons == ("inputs: target is the URL in the task's text",)
    assert filled(schema("page_url"), "Fetch https://example.com/x.").inputs == {"page_url": "https://example.com/x"}


@pytest.mark.parametrize(
    ("of", "text"),
    [
        (schema("url"), "https://a.example and https://b.example"),
        (schema("url", "back_url"), "Fetch https://a.example"),
        (schema("url"), "Fetch ftp://a.example"),
        (schema("url", url={"type": "array", "items": URI}), "Fetch https://a.example"),
        (schema("url"), "Fetch https://a.example/?key={{secrets.KEY}}"),
        (schema("url") | {"required": []}, "Fetch https://a.example"),
        (schema("text", text={"type": "string", "format": "password"}), 'Use "hunter2"'),
        (schema("text", text={"type": "string", "pattern": "^[a-z]$"}), 'Use "hunter2"'),
        (schema("text", text={"type": "string", "maxLength": 3}), 'Use "hunter2"'),
        (schema("a", "b"), 'Say "hello"'),
        (schema("a"), 'Say "hello" and "bye"'),
        (schema("a"), "Say it's fine, isn't it"),
        (schema("n", n=INTEGER), "Wait 1.5 hours"),
        (schema("n", n=INTEGER), "Between 3 and 5"),
        (schema("n", n=INTEGER), "On 2026-11-22 at 10:30, see A-17 and v2"),
        (schema("ok", ok={"type": "boolean"}), "true"),
        (schema("any", any={}), 'Say "hello"'),
    ],
)
def test_where_there_is_doubt_nothing_is_taken(of: dict[str, Any], text: str) -> None:
    assert filled(of, text).inputs == {}


def test_other_values_that_leave_no_doubt() -> None:
    of = schema(
        "url",
        "email",
        "count",
        "size",
        "body",
        email=ADDRESS,
        count=INTEGER,
        size={"type": "string", "enum": ["S", "L"]},
    )
    text = 'Send 3 of size L, "as agreed", to ada@example.org; see https://example.com/7'
    assert filled(of, text).inputs == {
        "url": "https://example.com/7",
        "email": "ada@example.org",
        "count": 3,
        "size": "L",
        "body": "as agreed",
    }


@pytest.mark.parametrize("text", ["Say “hello”", "Sage „hello“", "Dites «hello»", "Say `hello`"])
def test_quotes_of_other_countries_count(text: str) -> None:
    assert filled(schema("body"), text).inputs == {"body": "hello"}


def test_variables_count_more_than_the_text() -> None:
    assert filled(schema("url"), "Fetch https://a.example", url="https://b.example").inputs == {
        "url": "https://b.example"
    }


def test_a_text_made_to_take_long_does_not() -> None:
    for text in ("a." * 2_500 + "@", '"' * 5_000, "„" * 5_000, "https://" + "(" * 5_000 + ")" * 5_000, "1" * 5_000):
        assert isinstance(filled(schema("url", "email", "n", "body", n=INTEGER), text), FilledInputs)


@pytest.mark.parametrize("of", [{}, {"type": "null"}, {"properties": {"a": True}, "required": ["a", "b"]}])
def test_any_schema_will_do(of: dict[str, Any]) -> None:
    assert isinstance(filled(of, 'Say "hello"', a=1), FilledInputs)


def test_the_bundled_tdes_are_filled() -> None:
    schemas = {it.tde.name: it.tde.manifest().input_schema for it in discover().tdes}
    assert filled(schemas["http"], "Fetch https://example.com/rates.json").inputs == {
        "url": "https://example.com/rates.json"
    }
    mail = filled(schemas["email"], 'Mail "Your order" to the customer', To=["ada@example.org"], text="Dear Ada")
    assert (mail.inputs, mail.missing) == (
        {"to": ["ada@example.org"], "text": "Dear Ada", "subject": "Your order"},
        (),
    )
    assert filled(schemas["shell"], 'Run "rm"').missing == ("command",)
