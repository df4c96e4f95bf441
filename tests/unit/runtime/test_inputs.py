"""A job's variables as a TDE's input: what is read, what a wrong one says, and secrets in and out."""

import enum
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import AliasPath, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from procos.errors import GiveUp
from procos.runtime.inputs import SecretResolver, explain, read_input
from procos.telemetry.secret_mask import secret_mask

TOKEN = "tok-9f8e7d6c"


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Item(BaseModel):
    price: float
    colour: Colour = Colour.RED


class Order(BaseModel):
    order_id: int
    customer: str = "nobody"
    items: list[Item] = []
    day: date | None = None
    size: Literal["s", "m"] = "s"
    weight: int | str = 0
    labels: dict[str, int] = {}
    main: Item | None = None


def refused(model: type[BaseModel], **variables: Any) -> str:
    with pytest.raises(GiveUp) as caught:
        read_input(model, variables)
    return str(caught.value)


# Reading


def test_variables_become_the_typed_input():
    order = read_input(Order, {"order_id": 7, "items": [{"price": 1.5, "colour": "blue"}], "day": "2024-02-29"})

    assert order == Order(order_id=7, items=[Item(price=1.5, colour=Colour.BLUE)], day=date(2024, 2, 29))


def test_variables_that_the_model_does_not_name_are_left_out():
    class Strict(BaseModel):
        model_config = ConfigDict(extra="forbid")
        a: int

    assert read_input(Strict, {"a": 1, "correlationId": "c", "b": 2}) == Strict(a=1)


def test_a_model_that_takes_extra_variables_gets_them_all():
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")
        a: int

    assert read_input(Open, {"a": 1, "b": {"c": 2}}).model_dump() == {"a": 1, "b": {"c": 2}}


def test_aliases_are_read_however_they_are_declared():
    class Aliased(BaseModel):
        model_config = ConfigDict(populate_by_name=True)
        a: int = Field(alias="A")
        b: int = Field(validation_alias="B")
        c: int = Field(validation_alias=AliasPath("deep", "c"))
        d: int = Field(default=0, alias="D")

    read = read_input(Aliased, {"A": 1, "B": 2, "deep": {"c": 3}, "d": 4})

    assert read.model_dump() == {"a": 1, "b": 2, "c": 3, "d": 4}


# What a wrong one says


def test_a_missing_variable_names_field_and_expected_type():
    assert refused(Order) == "input 'order_id' is missing, expected integer"


def test_a_wrong_variable_names_field_and_expected_type():
    message = refused(Order, order_id="seven")

    assert message.startswith("input 'order_id' is wrong, expected integer: Input should be a valid integer")


def test_every_problem_is_named():
    message = refused(Order, customer=3, size="xl")

    assert "input 'order_id' is missing, expected integer" in message
    assert "input 'customer' is wrong, expected string: " in message
    assert "input 'size' is wrong, expected one of s, m: " in message


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("items", "none", "array of Item"),
        ("day", "tomorrow", "string (date) or null"),
        ("labels", [], "object"),
        ("main", 3, "Item or null"),
    ],
)
def test_the_expected_type_is_said_in_json_schemas_words(variable, value, expected):
    assert f"input '{variable}' is wrong, expected {expected}: " in refused(Order, order_id=1, **{variable: value})


def test_a_problem_inside_names_the_inner_field_and_its_own_type():
    message = refused(Order, order_id=1, items=[{"price": 1}, {}, {"price": "dear", "colour": "green"}])

    assert "input 'items.1.price' is missing, expected number" in message
    assert "input 'items.2.price' is wrong, expected number: " in message
    assert "input 'items.2.colour' is wrong, expected one of red, blue: " in message


def test_a_problem_inside_an_optional_model_names_the_inner_type():
    assert refused(Order, order_id=1, main={}) == "input 'main.price' is missing, expected number"


def test_a_problem_in_a_map_names_the_key():
    assert "input 'labels.a' is wrong, expected integer: " in refused(Order, order_id=1, labels={"a": "x"})


def test_a_problem_with_a_union_names_the_field_and_not_pydantics_branches():
    message = refused(Order, order_id=1, weight=[])

    assert "input 'weight' is wrong, expected integer or string: " in message
    assert "weight.int" not in message


def test_a_problem_with_the_whole_input_is_said_without_a_field():
    class Range(BaseModel):
        low: int
        high: int

        @model_validator(mode="after")
        def _ordered(self) -> "Range":
            if self.low > self.high:
                raise ValueError("low is above high")
            return self

    assert refused(Range, low=2, high=1) == "the input is wrong: low is above high"


def test_a_validators_own_words_are_kept():
    class Even(BaseModel):
        n: int

        @field_validator("n")
        @classmethod
        def _even(cls, value: int) -> int:
            if value % 2:
                raise ValueError("an even number, please")
            return value

    assert refused(Even, n=3) == "input 'n' is wrong, expected integer: an even number, please"


def test_values_are_not_shown_because_they_may_hold_secrets():
    assert TOKEN not in refused(Order, order_id=TOKEN, items=[{"price": TOKEN}], day=TOKEN, weight=[TOKEN])


def test_another_noun_serves_for_settings():
    class Config(BaseModel):
        model_config = ConfigDict(extra="forbid")
        roots: Annotated[list[str], Field(min_length=1)] = ["."]

    with pytest.raises(ValidationError) as caught:
        Config.model_validate({"root": 1, "roots": []})

    message = explain(caught.value, Config, noun="setting [tde.file]")
    assert "setting [tde.file] 'roots' is wrong, expected array of string: " in message
    assert "setting [tde.file] 'root' is wrong: Extra inputs are not permitted" in message


# Secrets


def test_references_are_filled_in_at_any_depth_and_in_keys():
    resolver = SecretResolver({"TOKEN": TOKEN, "db.user-1": "ann"})
    given = {
        "header": "Bearer {{secrets.TOKEN}}",
        "list": [1, None, ["{{ secrets.db.user-1 }}:{{secrets.TOKEN}}"]],
        "{{secrets.db.user-1}}": True,
    }

    assert resolver.resolve(given) == {
        "header": f"Bearer {TOKEN}",
        "list": [1, None, [f"ann:{TOKEN}"]],
        "ann": True,
    }


def test_what_is_no_reference_stays_as_it_is():
    resolver = SecretResolver({"TOKEN": TOKEN})
    for text in ("{{TOKEN}}", "{secrets.TOKEN}", "{{secrets.}}", "{{secrets.A B}}", "secrets.TOKEN", ""):
        assert resolver.resolve(text) == text


def test_a_secret_that_looks_like_a_reference_is_not_filled_in_again():
    resolver = SecretResolver({"OUTER": "{{secrets.INNER}}", "INNER": "x"})

    assert resolver.resolve("{{secrets.OUTER}}") == "{{secrets.INNER}}"


def test_an_unknown_secret_is_named_with_the_two_places_to_put_it():
    with pytest.raises(GiveUp) as caught:
        SecretResolver({}).resolve({"a": ["{{secrets.NOPE}}"]})

    assert "there is no secret 'NOPE'" in str(caught.value)
    assert "PROCOS_SECRET_NOPE" in str(caught.value)
    assert "secrets_file" in str(caught.value)


def test_used_secrets_are_put_back_as_references_at_any_depth_and_in_keys():
    resolver = SecretResolver({"TOKEN": TOKEN})
    resolver.resolve("{{secrets.TOKEN}}")

    assert resolver.conceal({"a": [f"x{TOKEN}y", 1], TOKEN: {"b": TOKEN}}) == {
        "a": ["x{{secrets.TOKEN}}y", 1],
        "{{secrets.TOKEN}}": {"b": "{{secrets.TOKEN}}"},
    }


def test_only_secrets_that_were_used_are_put_back():
    resolver = SecretResolver({"TOKEN": TOKEN})

    assert resolver.conceal(TOKEN) == TOKEN


def test_a_secret_inside_a_longer_one_leaves_nothing_of_the_longer_one():
    resolver = SecretResolver({"SHORT": TOKEN, "LONG": f"{TOKEN}-extended"})
    resolver.resolve("{{secrets.SHORT}} {{secrets.LONG}}")

    assert resolver.conceal(f"{TOKEN}-extended, {TOKEN}") == "{{secrets.LONG}}, {{secrets.SHORT}}"


def test_a_secret_that_occurs_in_the_text_of_a_reference_does_not_garble_it():
    resolver = SecretResolver({"TOKEN": TOKEN, "WORD": "secrets", "NAME": "TOKEN"})
    resolver.resolve("{{secrets.TOKEN}} {{secrets.WORD}} {{secrets.NAME}}")

    assert resolver.conceal(f"{TOKEN}!") == "{{secrets.TOKEN}}!"


def test_a_secret_is_put_back_where_it_was_escaped_on_the_way():
    secret = 'pa"ss\\wörd\n&more'
    resolver = SecretResolver({"P": secret})
    resolver.resolve("{{secrets.P}}")

    for shown in (repr({"p": secret}), '{"p": "pa\\"ss\\\\w\\u00f6rd\\n&more"}', "?p=pa%22ss%5Cw%C3%B6rd%0A%26more"):
        assert "ss" not in resolver.conceal(shown)
        assert "{{secrets.P}}" in resolver.conceal(shown)


def test_an_empty_secret_is_filled_in_and_never_put_back():
    resolver = SecretResolver({"EMPTY": ""})

    assert resolver.resolve("a{{secrets.EMPTY}}b") == "ab"
    assert resolver.conceal("ab") == "ab"


def test_secrets_that_were_used_are_masked_in_the_log():
    secret = "only-in-this-test-4711"
    assert secret_mask.apply(secret) == secret

    SecretResolver({"LOGGED": secret}).resolve("{{secrets.LOGGED}}")

    assert secret_mask.apply(f"sent {secret}") == "sent ***"


# Who may use which secret


def refused_secret(name: str, **allowed: tuple[str, ...]) -> str:
    with pytest.raises(GiveUp) as caught:
        SecretResolver({"DB_USER": "ann", "TOKEN": TOKEN}, **allowed).resolve(f"{{{{secrets.{name}}}}}")
    return str(caught.value)


@pytest.mark.parametrize(
    ("declared", "granted"), [(("DB_USER",), ("*",)), (("*",), ("DB_*",)), (("DB_*", "X"), ("Y", "*_USER"))]
)
def test_a_secret_that_is_declared_and_granted_is_given_out(declared, granted):
    resolver = SecretResolver({"DB_USER": "ann"}, declared, granted)

    assert resolver.look_up("DB_USER") == "ann"
    assert resolver.used_names == {"DB_USER"}


def test_a_secret_that_the_code_does_not_declare_is_refused():
    assert refused_secret("TOKEN", declared=("DB_*", "X")) == (
        "this TDE may not use the secret 'TOKEN': its code declares DB_*, X (@tde(..., secrets=...))"
    )
    assert "its code declares no secrets" in refused_secret("TOKEN", declared=())


def test_a_secret_that_the_operator_does_not_grant_is_refused():
    assert refused_secret("TOKEN", granted=("DB_*",)) == (
        "this TDE may not use the secret 'TOKEN': the setting secrets_granted allows it DB_*"
    )
    assert "allows it none" in refused_secret("TOKEN", granted=())


def test_patterns_mind_capital_letters():
    assert "may not use the secret 'TOKEN'" in refused_secret("TOKEN", declared=("token", "T"))


def test_a_secret_that_may_not_be_used_does_not_tell_whether_it_is_there():
    assert "there is no secret" not in refused_secret("NOPE", declared=("DB_*",))


def test_nothing_that_was_refused_is_concealed_or_noted():
    resolver = SecretResolver({"TOKEN": TOKEN}, declared=())
    with pytest.raises(GiveUp):
        resolver.look_up("TOKEN")

    assert resolver.used_names == set()
    assert resolver.conceal(TOKEN) == TOKEN
