"""`procos run --var --vars`: how start variables are read, and what wrong ones say."""

from pathlib import Path

import pytest

from procos.cli.run import read_variables
from procos.errors import UsageError


def refusal(pairs: list[str], whole: str | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_variables(pairs, whole)
    return caught.value


def test_nothing_given_is_no_variables():
    assert read_variables([], None) == {}


@pytest.mark.parametrize(
    ("pair", "name", "value"),
    [
        ("n=3", "n", 3),
        ("n=-1.5e3", "n", -1500.0),
        ("n=true", "n", True),
        ("n=null", "n", None),
        ('n="3"', "n", "3"),
        ('n={"a": [1]}', "n", {"a": [1]}),
        ("n=some text", "n", "some text"),
        ("n=True", "n", "True"),
        ("n=", "n", ""),
        ("n=a=b", "n", "a=b"),
        ("n={broken", "n", "{broken"),
        ("n=007", "n", "007"),
        ("Größe=ü", "Größe", "ü"),
        ("n=NaN", "n", "NaN"),
        ("n=-Infinity", "n", "-Infinity"),
        ("n=[1, NaN]", "n", "[1, NaN]"),
        ("n=1e999", "n", "1e999"),
    ],
)
def test_a_value_is_json_or_else_text(pair, name, value):
    assert read_variables([pair], None) == {name: value}


def test_the_last_pair_of_a_name_counts():
    assert read_variables(["a=1", "b=2", "a=3"], None) == {"a": 3, "b": 2}


@pytest.mark.parametrize("pair", ["n", "=3", "=", ""])
def test_a_pair_that_is_none_is_refused(pair):
    assert refusal([pair]).message == f"--var {pair}: give NAME=VALUE"


def test_an_object_is_taken_and_pairs_go_over_it():
    assert read_variables(["b=3"], '{"a": 1, "b": 2}') == {"a": 1, "b": 3}


def test_an_object_may_come_from_a_file(tmp_path: Path):
    path = tmp_path / "vars.json"
    path.write_text('{"city": "Zürich"}', encoding="utf-8")

    assert read_variables([], f"@{path}") == {"city": "Zürich"}


def test_a_file_that_windows_marked_as_utf_8_is_taken(tmp_path: Path):
    path = tmp_path / "vars.json"
    path.write_text('{"a": 1}', encoding="utf-8-sig")

    assert read_variables([], f"@{path}") == {"a": 1}


def test_what_is_not_json_is_refused_with_where_and_how():
    error = refusal([], "{amount: 3}")

    assert error.message.startswith("--vars is not JSON: Expecting property name")
    assert "line 1 column 2" in error.message
    assert error.hint == """give an object, such as '{"amount": 3}'"""
    assert error.exit_code == 2


def test_a_file_that_is_not_json_is_named_with_the_line(tmp_path: Path):
    path = tmp_path / "vars.json"
    path.write_text('{\n"a": \n}', encoding="utf-8")

    assert f"{path} is not JSON: Expecting value: line 3" in refusal([], f"@{path}").message


@pytest.mark.parametrize("whole", ['{"a": NaN}', '{"a": [Infinity]}', '{"a": -Infinity}', '{"a": 1e999}'])
def test_numbers_that_json_does_not_have_are_refused_here_and_not_by_the_engine(whole):
    assert refusal([], whole).message.startswith("--vars is not JSON: ")


@pytest.mark.parametrize("whole", ["[1]", "3", '"text"', "null", "true"])
def test_json_that_is_no_object_is_refused(whole):
    assert "not a JSON object" in refusal([], whole).message


def test_json_nested_beyond_reason_is_refused():
    assert refusal([], '{"a": ' + "[" * 100_000).message.startswith("--vars is not JSON: ")


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    assert (
        f"--vars @{tmp_path}/nowhere.json: the file cannot be read" in refusal([], f"@{tmp_path}/nowhere.json").message
    )


def test_a_file_in_another_encoding_is_named(tmp_path: Path):
    path = tmp_path / "vars.json"
    path.write_bytes('{"city": "Zürich"}'.encode("latin-1"))

    assert f"--vars @{path}: the file cannot be read" in refusal([], f"@{path}").message
