"""The TDE `shell`: what goes into a program, and what comes out of it."""

import logging
import signal
from functools import partial
from pathlib import Path

import pytest
from pydantic import ValidationError

from procos_workers.shell import CommandFailed, ShellInput, ShellOutput
from tests.unit.workers.shell_runner import run_shell

pytestmark = pytest.mark.anyio


@pytest.fixture
def run(tmp_path: Path):
    return partial(run_shell, tmp_path / "data")


async def test_a_program_runs_and_its_outputs_come_back(run):
    ended = await run("sh", "-c", "echo out; echo err >&2")
    assert ended == ShellOutput(
        exit_code=0, stdout="out\n", stderr="err\n", stdout_truncated=False, stderr_truncated=False
    )


async def test_no_shell_reads_the_arguments(run):
    ended = await run("printf", "%s|", "*", "$HOME", "a b", "; echo no", "")
    assert ended.stdout == "*|$HOME|a b|; echo no||"


async def test_a_command_as_one_text_is_refused_with_the_way_to_write_it():
    with pytest.raises(ValidationError, match=r'command\n.*give a list .* such as \["git", "log"\]'):
        ShellInput(command="git log")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"command": []}, "command"),
        ({"command": ["a\0b"]}, r"command\.0"),
        ({"command": ["echo", "\ud800"]}, r"command\.1"),
        ({"command": ["echo"], "stdin": "\ud800"}, "stdin"),
        ({"command": ["echo"], "environment": {"A=B": "x"}}, "environment"),
        ({"command": ["echo"], "environment": {"": "x"}}, "environment"),
        ({"command": ["echo"], "working_folder": "a\0"}, "working_folder"),
        ({"command": ["echo"], "time_limit_seconds": -1}, "time_limit_seconds"),
        ({"command": ["echo"], "folder": "x"}, "folder"),
    ],
)
async def test_an_input_that_no_program_could_take_is_refused_by_its_field(given, field):
    with pytest.raises(ValidationError, match=rf"\n{field}"):
        ShellInput(**given)


async def test_text_goes_in_and_comes_out_as_utf_8(run):
    assert (await run("cat", stdin="grüße 日本 🎈\n")).stdout == "grüße 日本 🎈\n"
    assert (await run("printf", "%s", "日本")).stdout == "日本"


async def test_more_stdin_than_a_pipe_holds_arrives_whole(run):
    assert (await run("wc", "-c", stdin="x" * 3_000_000)).stdout.strip() == "3000000"


async def test_a_program_may_leave_its_stdin_unread(run):
    assert (await run("true", stdin="x" * 3_000_000)).exit_code == 0


async def test_a_program_without_stdin_reads_nothing(run):
    assert (await run("cat")).stdout == ""


async def test_bytes_that_are_no_utf_8_are_replaced(run):
    assert (await run("printf", r"a\377b")).stdout == "a\ufffdb"


async def test_an_exit_code_other_than_0_fails_with_the_last_lines_of_stderr(run):
    with pytest.raises(CommandFailed) as failed:
        await run("sh", "-c", "echo out; seq 1000000 1030000 >&2; echo the reason >&2; exit 7")
    first, *lines = str(failed.value).splitlines()
    assert first == "'sh' ended with exit code 7; its last lines on stderr:"
    assert lines == [str(number) for number in range(1029992, 1030001)] + ["the reason"]


async def test_without_stderr_the_last_lines_of_stdout_are_shown(run):
    with pytest.raises(CommandFailed, match=r"exit code 1; its last lines on stdout:\nthe reason$"):
        await run("sh", "-c", "echo the reason; exit 1")
    with pytest.raises(CommandFailed, match=r"^'false' ended with exit code 1$"):
        await run("false")


async def test_without_check_an_exit_code_is_only_an_output(run):
    ended = await run("sh", "-c", "echo out; exit 7", check=False)
    assert (ended.exit_code, ended.stdout) == (7, "out\n")


async def test_a_signal_that_kills_the_program_is_named(run):
    with pytest.raises(CommandFailed, match=r"^'sh' was killed by SIGSEGV"):
        await run("sh", "-c", "kill -SEGV $$")
    assert (await run("sh", "-c", "kill -SEGV $$", check=False)).exit_code == -signal.SIGSEGV


async def test_arguments_and_outputs_stay_out_of_the_log(run, caplog):
    caplog.set_level(logging.DEBUG, "test.tde")
    await run("echo", "hunter2")
    assert "hunter2" not in caplog.text
    assert "ended with exit code 0" in caplog.text
