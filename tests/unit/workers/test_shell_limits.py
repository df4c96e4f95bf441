"""The TDE `shell`: what ends a program that takes too much, and that nothing of it stays."""

import asyncio
import os
import signal
import sys
import tracemalloc
from functools import partial
from pathlib import Path

import psutil
import pytest

from procos.sdk import GiveUp
from procos_workers.child_process import LimitReached
from procos_workers.shell import CommandFailed
from tests.unit.workers.lifeline import Lifeline
from tests.unit.workers.shell_runner import run_shell, script

pytestmark = pytest.mark.anyio


@pytest.fixture
def run(tmp_path: Path):
    return partial(run_shell, tmp_path / "data")


async def test_output_over_the_limit_is_dropped_and_flagged(run):
    ended = await run("sh", "-c", "printf 12345678; printf 1234 >&2", config={"output_bytes": 4})
    assert (ended.stdout, ended.stdout_truncated) == ("1234", True)
    assert (ended.stderr, ended.stderr_truncated) == ("1234", False)


async def test_a_character_cut_in_half_by_the_limit_is_left_out(run):
    assert (await run("printf", "aüü", config={"output_bytes": 4})).stdout == "aü"


async def test_a_hundred_megabytes_of_output_need_little_memory(run):
    tracemalloc.start()
    try:
        ended = await run("sh", "-c", "head -c 104857600 /dev/zero | tr '\\0' x; echo end >&2")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(ended.stdout), ended.stdout_truncated, ended.stderr) == (262144, True, "end\n")
    assert peak < 8 << 20


async def test_a_program_that_takes_too_long_is_killed_with_its_grandchildren(run, tmp_path):
    async with Lifeline(tmp_path / "lifeline") as lifeline:
        command = f"(exec > {lifeline.path}; echo held; sleep 600) & echo waiting >&2; wait"
        with pytest.raises(LimitReached, match=r"^'sh' was stopped at its time limit of 2 s.*raise.*stderr:\nwaiting$"):
            await run("sh", "-c", command, time_limit_seconds=2, check=False)
        await lifeline.let_go()


async def test_a_task_may_not_ask_for_more_time_than_the_settings_allow(run):
    with pytest.raises(GiveUp, match=r"asks for 301 s, .*300 s is the longest.*under \[tde\.shell\]"):
        await run("true", time_limit_seconds=301)


async def test_cancelling_kills_the_program_and_its_grandchildren_and_is_passed_on(run, tmp_path):
    async with Lifeline(tmp_path / "lifeline") as lifeline:
        command = f"(exec > {lifeline.path}; echo held; sleep 600) & wait"
        running = asyncio.create_task(run("sh", "-c", command))
        assert await lifeline.held() == b"held\n"
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await lifeline.let_go()


async def test_cancelling_in_the_moment_of_the_start_kills_what_has_started(run, tmp_path):
    os.mkfifo(tmp_path / "started")
    async with Lifeline(tmp_path / "lifeline") as lifeline:
        command = f"(exec > {lifeline.path}; echo held > {tmp_path}/started; sleep 600) & wait"
        others = psutil.Process().children()
        running = asyncio.create_task(run("sh", "-c", command))
        while psutil.Process().children() == others:  # noqa: ASYNC110 - stops the loop at the first turn with a child
            await asyncio.sleep(0)
        # The loop stands still here, so that the grandchild runs while the task still waits for its child to be there.
        assert (tmp_path / "started").read_text() == "held\n"
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert psutil.Process().children() == others
        await lifeline.let_go()


async def test_what_a_program_leaves_running_is_killed_when_it_ends(run, tmp_path):
    async with Lifeline(tmp_path / "lifeline") as lifeline:
        command = f"exec 3> {lifeline.path}; echo held >&3; sleep 600 & echo done"
        assert (await run("sh", "-c", command)).stdout == "done\n"
        assert await lifeline.held() == b"held\n"
        await lifeline.let_go()


async def test_a_process_that_leaves_the_group_does_not_keep_the_task_waiting(run):
    code = "import subprocess; print(subprocess.Popen(['sleep', '600'], start_new_session=True).pid)"
    ended = await run(sys.executable, "-I", "-c", code, time_limit_seconds=60)
    os.kill(int(ended.stdout), signal.SIGKILL)


async def test_memory_and_processor_time_are_limited_when_the_settings_say_so(run):
    allocate = (sys.executable, "-I", "-c", "bytearray(512 << 20)")
    assert (await run(*allocate)).exit_code == 0
    with pytest.raises(CommandFailed, match="MemoryError"):
        await run(*allocate, config={"memory_mb": 256})
    with pytest.raises(LimitReached, match=r"used up its 1 s of processor time.*cpu_seconds"):
        await run("sh", "-c", "while :; do :; done", config={"cpu_seconds": 1}, check=False)


async def test_a_program_with_limits_gets_its_arguments_and_folder_unchanged(run, tmp_path):
    ended = await run("sh", "-c", 'echo "$0 $1"; pwd -P', "name", "a b", config={"memory_mb": 1024})
    assert ended.stdout.splitlines() == ["name a b", str((tmp_path / "data").resolve())]


async def test_a_program_with_limits_that_cannot_be_started_fails_like_in_a_shell(run, tmp_path):
    script(tmp_path / "data/wrong", "#!/no/such/interpreter\n")
    with pytest.raises(CommandFailed, match=r"exit code 126; .*stderr:\n.*/wrong: No such file"):
        await run("./wrong", config={"memory_mb": 1024})
