"""The TDE `python`: which functions it calls, and what becomes of what they give back."""

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from procos.sdk import BpmnError, GiveUp, RetryLater
from procos_workers.python import FunctionFailed, PythonConfig, PythonInput, python
from tests.unit.workers.context import task_context

FUNCTIONS = Path(__file__).with_name("python_functions")
SAMPLES = "sample_functions"

pytestmark = pytest.mark.anyio


@pytest.fixture
def call(tmp_path: Path):
    async def call_function(function: str, /, *, allow: list[str] | None = None, **arguments: Any) -> Any:
        allowed = [f"{SAMPLES}:*"] if allow is None else allow
        config = PythonConfig(allow=allowed, path=[FUNCTIONS, tmp_path])
        name = f"{SAMPLES}:{function}" if function.isidentifier() else function
        task = PythonInput(function_name=name, arguments=arguments)
        return (await python(task, task_context(config, tmp_path / "data"))).result

    return call_function


async def test_a_function_gets_its_arguments_and_its_result_comes_back(call):
    assert await call("add", left=2, right=40) == 42
    assert await call("add", left=2) == 3


async def test_a_path_with_dots_only_means_the_same_function(call):
    assert await call(f"{SAMPLES}.add", left=1) == 2
    assert await call(f"{SAMPLES}.add", left=1, allow=[f"{SAMPLES}.add"]) == 2


async def test_an_async_function_is_awaited(call):
    assert await call("add_later", left=2, right=3) == 5


async def test_an_installed_package_needs_no_path(call):
    assert await call("json:loads", allow=["json:loads"], s='{"a": [1]}') == {"a": [1]}


async def test_any_json_goes_in_and_comes_back_unchanged(call):
    value = {"grüße": ["日本", "🎈", '"\\\n', "\u0000"], "n": [1, -1.5, 2**62, True, None], "": {}}
    assert await call("echo", value=value) == value


async def test_tuples_become_lists(call):
    assert await call("tuples") == ["a", ["b"]]


async def test_a_result_nested_two_hundred_levels_deep_comes_back(call):
    value = await call("nested", levels=200)
    depth = 0
    while value:
        value, depth = value[0], depth + 1
    assert depth == 200
    with pytest.raises(GiveUp, match="nested more than 200 levels deep"):
        await call("nested", levels=201)


@pytest.mark.parametrize("text", ["", "add", "a b:c", "a:b.c", "a::b", ":f", "a.:f", "../a:f"])
async def test_what_is_no_dotted_path_is_refused_with_the_way_to_write_it(text):
    with pytest.raises(ValidationError, match=r"package\.module:function"):
        PythonInput(function_name=text)


async def test_nothing_is_allowed_by_default(tmp_path):
    with pytest.raises(GiveUp) as refused:
        await python(PythonInput(function_name="json.loads"), task_context(PythonConfig(), tmp_path))
    assert 'under [tde.python] in procos.toml: allow = ["json:loads"]' in str(refused.value)


@pytest.mark.parametrize(
    ("pattern", "function"),
    [
        ("sample.*", f"{SAMPLES}:add"),
        ("sample_function:*", f"{SAMPLES}:add"),
        (f"{SAMPLES}.*", f"{SAMPLES}:add"),
        (f"{SAMPLES}:ad", f"{SAMPLES}:add"),
        (f"{SAMPLES}:a", f"{SAMPLES}:add"),
        (f"{SAMPLES.upper()}:*", f"{SAMPLES}:add"),
        (f"{SAMPLES}:*", f"{SAMPLES}:_private"),
        ("*", f"{SAMPLES}:__dir__"),
    ],
)
async def test_a_pattern_allows_nothing_but_what_it_matches_whole(call, pattern, function):
    with pytest.raises(GiveUp, match="not on the allow-list") as refused:
        await call(function, allow=[pattern])
    assert f'allow = [..., "{function}"]' in str(refused.value)


@pytest.mark.parametrize("pattern", ["*", "sample_*", f"{SAMPLES}:*", f"{SAMPLES}:a?d", f"{SAMPLES}:[ab]dd"])
async def test_a_pattern_with_wildcards_allows_what_it_matches(call, pattern):
    assert await call(f"{SAMPLES}:add", allow=["other:f", pattern], left=1) == 2


async def test_a_pattern_does_not_allow_what_a_module_only_imports(call):
    with pytest.raises(GiveUp, match="it comes from 'posix'") as refused:
        await call("getcwd")
    assert f'add "{SAMPLES}:getcwd" itself to allow' in str(refused.value)


async def test_an_entry_of_its_own_allows_an_imported_and_a_private_function(call):
    assert await call("getcwd", allow=[f"{SAMPLES}:*", f"{SAMPLES}:getcwd"])
    assert await call("_private", allow=[f"{SAMPLES}:_private"]) == "private"


async def test_a_wrong_entry_of_the_allow_list_is_named():
    with pytest.raises(ValidationError, match=r"allow\.1"):
        PythonConfig(allow=["json:loads", "json"])


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("no_such_module:f", "there is no module 'no_such_module'; install"),
        (f"{SAMPLES}.deeper:f", f"there is no module '{SAMPLES}.deeper'"),
        (f"{SAMPLES}:subtract", "has no function 'subtract'"),
        (f"{SAMPLES}:NUMBERS", "is a dict, not a function"),
    ],
)
async def test_a_function_that_is_not_there_ends_for_good(call, function, reason):
    with pytest.raises(GiveUp, match=reason):
        await call(function, allow=["*"])


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def f(:\n", "cannot be imported: SyntaxError"),
        ("import not_installed_here\n", "imports 'not_installed_here', which is not installed"),
        ("from json import no_such_name\n", "cannot be imported: ImportError"),
    ],
)
async def test_a_module_that_cannot_be_imported_ends_for_good(call, tmp_path, source, reason):
    (tmp_path / "broken_module.py").write_text(source)
    with pytest.raises(GiveUp, match=f"'broken_module.*{reason}"):
        await call("broken_module:f", allow=["*"])


async def test_a_module_that_raises_while_it_is_imported_is_tried_again(call, tmp_path):
    (tmp_path / "failing_module.py").write_text("raise ConnectionError('no network')\n")
    with pytest.raises(FunctionFailed, match=r"^ConnectionError: no network \(at .*failing_module.py:1\)$"):
        await call("failing_module:f", allow=["*"])


@pytest.mark.parametrize(
    ("function", "arguments", "reason"),
    [
        ("add", {}, "missing a required argument: 'left'; it takes (left, right=1)"),
        ("add", {"left": 1, "middle": 2}, "unexpected keyword argument 'middle'; it takes (left, right=1)"),
        ("add_later", {"left": 1}, "missing a required argument: 'right'"),
        ("decorated", {"nam": "x"}, "it takes (name)"),
        ("math:sqrt", {"x": 4}, "wrong arguments for 'math:sqrt'"),
        ("builtins:print", {"ned": 4}, "wrong arguments for 'builtins:print'"),
    ],
)
async def test_arguments_that_do_not_fit_end_for_good_and_are_named(call, function, arguments, reason):
    with pytest.raises(GiveUp) as refused:
        await call(function, allow=["*"], **arguments)
    assert reason in str(refused.value)


async def test_an_exception_of_the_function_gives_its_type_message_and_place(call):
    with pytest.raises(FunctionFailed, match=r"^ValueError: no grüße \(at .*/sample_functions\.py:\d+\)$"):
        await call("fail", message="no grüße")


async def test_a_type_error_inside_the_function_is_a_failure_not_wrong_arguments(call):
    with pytest.raises(FunctionFailed, match=r"^TypeError: can only concatenate"):
        await call("type_error_inside")


async def test_an_exception_without_readable_message_and_a_very_long_one_are_reported(call):
    with pytest.raises(FunctionFailed, match=r"^Unreadable: .*RuntimeError"):
        await call("fail_unreadably")
    with pytest.raises(FunctionFailed) as failed:
        await call("fail", message="x" * 1_000_000)
    assert len(str(failed.value)) < 5000


async def test_leaving_the_process_is_a_failure_that_says_how(call):
    with pytest.raises(FunctionFailed, match=r"^SystemExit: done here"):
        await call("leave")
    with pytest.raises(FunctionFailed, match="exit code 3 instead of returning; its last lines on stderr:\nlast words"):
        await call("leave_at_once", code=3)
    with pytest.raises(FunctionFailed, match="exit code 0 instead of returning"):
        await call("leave_at_once", code=0)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("set", "result.items[2] is a set"),
        ("bytes", "result['a key'] is a bytes"),
        ("object", "result is an object"),
        ("nan", "result[0] is nan"),
        ("infinity", "result.low is -inf"),
        ("number key", "result.by_year has the key 2025, an int"),
        ("half a character", "result.text is text with half a character ('\\ud800')"),
        ("half a character in a key", "a key of result is text with half a character"),
        ("circle", "levels deep, or contains itself"),
    ],
)
async def test_a_result_that_is_not_json_ends_for_good_and_names_the_place(call, kind, reason):
    with pytest.raises(GiveUp) as refused:
        await call("not_json", kind=kind)
    assert reason in str(refused.value)


async def test_the_outcomes_that_a_function_raises_are_raised_by_the_tde(call):
    with pytest.raises(BpmnError, match="nothing left") as thrown:
        await call("outcome", kind="bpmn")
    assert (thrown.value.code, thrown.value.variables) == ("NO_STOCK", {"left": 0})
    with pytest.raises(BpmnError, match="NO_STOCK"):
        await call("outcome", kind="subclass")
    with pytest.raises(RetryLater, match="busy") as later:
        await call("outcome", kind="later")
    assert later.value.after == timedelta(minutes=2)
    with pytest.raises(GiveUp, match=r"^no such order$"):
        await call("outcome", kind="give up")
    with pytest.raises(GiveUp, match=r"variables\.left is a set"):
        await call("outcome", kind="bad variables")


async def test_what_a_function_prints_is_logged_and_does_not_disturb_the_result(call, caplog):
    caplog.set_level(logging.INFO, "test.tde")
    assert await call("chatter") == "quiet"
    stdout, stderr = (record.getMessage() for record in caplog.records)
    assert stdout == f"{SAMPLES}:chatter wrote to stdout:\nto stdout: grüße\npast Python\nfrom a grandchild"
    assert stderr == f"{SAMPLES}:chatter wrote to stderr:\nto stderr"


async def test_the_function_sees_only_the_named_variables_of_the_worker(call, monkeypatch):
    monkeypatch.setenv("PLANTED_SECRET", "hunter2")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    seen = await call("environment")
    assert seen["TZ"] == "Europe/Berlin"
    assert set(seen) <= {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LC_CTYPE"}
    assert "hunter2" not in str(seen)


async def test_the_function_runs_in_the_data_folder_with_nothing_on_stdin(call, tmp_path):
    expected = {"folder": str((tmp_path / "data").resolve()), "stdin": "", "argv": 1, "group": True}
    assert await call("surroundings") == expected
