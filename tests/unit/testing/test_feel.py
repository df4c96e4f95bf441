"""What of FEEL is refused; what is taken has the engine's values by tests/contract/test_processes.py."""

import pytest

from procos.testing.feel.reader import FeelError, read
from procos.testing.feel.values import from_json, to_json


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "1 +", "a b", "(1", "[1", "{a 1}", "{1: 2}", "a.", "a.1", '"open', "if a then b", "a in [1]",
        "for x in a return x", "some x in a satisfies x", "now()", "date(\"2024-01-01\")", '@"2024-01-01"', "a[b = 1]",
        "a[1.5]", "a[item > 2]", "not()", "count(1, 2)", "a instance of number", "between", "a ! b", "1..2", "?",
        '"\\q"', "a = ",
    ],
)  # fmt: skip
def test_what_it_cannot_read_is_refused_and_not_guessed(text: str) -> None:
    with pytest.raises(FeelError):
        read(text)


def test_a_refusal_says_where() -> None:
    with pytest.raises(FeelError, match=r"the function 'now' at 5"):
        read("1 + now()")


def test_names_with_blanks_go_in_backticks() -> None:
    assert to_json(read("`first name` + a.`b c`")({"first name": "x", "a": {"b c": "y"}})) == "xy"


@pytest.mark.parametrize("value", [0, -1, 2**60, 0.1, "ü", True, None, [1, [None]], {"a": {"b": 0.5}}])
def test_values_go_through_unharmed(value: object) -> None:
    assert to_json(from_json(value)) == value
    assert type(to_json(from_json(value))) is type(value)


def test_numbers_are_decimal() -> None:
    assert to_json(read("0.1 + 0.2 = 0.3")({})) is True


def test_a_number_beyond_all_bounds_is_null() -> None:
    assert to_json(read("10 ** 400")({})) is None
    assert to_json(read("10 ** 999999999")({})) is None
