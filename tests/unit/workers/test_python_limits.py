"""The TDE `python`: what ends a function that takes too much, and that nothing of it stays."""

import asyncio
import logging
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from procos.sdk import GiveUp
from procos_workers.child_process import LimitReached
from procos_workers.python import FunctionFailed, PythonConfig, PythonInput, python
from tests.unit.workers.context import task_context
from tests.unit.workers.lifeline import Lifeline

FUNCTIONS = Path(__file__).with_name("python_functions")

pytestmark = pytest.mark.anyio


@pytest.fixture
def call(tmp_path: Path):
    async def call_function(function: str, /, *, task_seconds: float | None = None, **given: Any) -> Any:
        limits = {name: given.pop(name) for name in list(given) if name in PythonConfig.model_fields}
        config = PythonConfig(allow=["sample_functions:*"], path=[FUNCTIONS], **limits)
        task = PythonInput(
            function_name=f"sample_functions:{function}", arguments=given, time_limit_seconds=task_seconds
        )
        return (await python(task, task_context(config, tmp_path / "data"))).result

    return call_function


async def test_a_function_that_takes_too_long_is_killed_with_its_grandchildren(call, tmp_path):
    async with Lifeline(tmp_path / "lifeline") as lifeline:
        with pytest.raises(LimitReached, match=r"'sample_functions:hold' was stopped at its time limit of 3 s.*raise"):
            await call("hold", lifeline=str(lifeline.path), time_limit_seconds=3)
        await lifeline.let_go()


async def test_cancelling_kills_the_function_and_its_grandchildren_and_is_passed_on(call, tmp_path):
    async with Lifeline(tmp_path / "lifeline") as lifeline:
        running = asyncio.create_task(call("hold", lifeline=str(lifeline.path)))
        assert await lifeline.held() == b"held\n"
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await lifeline.let_go()


async def test_what_a_function_leaves_running_is_killed_when_it_returns(call, tmp_path):
    async with Lifeline(tmp_path / "lifeline") as lifeline:
        assert await call("leave_behind", lifeline=str(lifeline.path)) == "returned"
        assert await lifeline.held() == b"held\n"
        await lifeline.let_go()


async def test_a_thread_that_does_not_end_counts_for_the_time_limit(call):
    with pytest.raises(LimitReached, match="time limit of 2 s"):
        await call("leave_thread", time_limit_seconds=2)


async def test_a_task_may_ask_for_less_time_than_the_settings_allow_but_not_for_more(call):
    with pytest.raises(LimitReached, match=r"time limit of 0\.5 s"):
        await call("burn", task_seconds=0.5)
    with pytest.raises(GiveUp, match=r"the task asks for 121 s.*120 s is the longest.*under \[tde\.python\]"):
        await call("burn", task_seconds=121)
    with pytest.raises(ValidationError, match="time_limit_seconds"):
        await call("burn", task_seconds=0)


async def test_what_was_printed_before_the_time_was_over_is_logged(call, caplog):
    caplog.set_level(logging.INFO, "test.tde")
    with pytest.raises(LimitReached):
        await call("print_and_burn", time_limit_seconds=2)
    assert "so far" in caplog.text


async def test_processor_time_is_limited(call):
    with pytest.raises(LimitReached, match=r"used up its 1 s of processor time.*cpu_seconds"):
        await call("burn", cpu_seconds=1)


async def test_memory_is_limited(call):
    assert await call("allocate", megabytes=16, memory_mb=256) == 16 << 20
    with pytest.raises(LimitReached, match=r"ran out of memory at its limit of 256 MiB.*memory_mb"):
        await call("allocate", megabytes=512, memory_mb=256)


async def test_memory_of_a_forked_process_is_limited_too(call):
    assert await call("allocate_in_fork", megabytes=512, memory_mb=256) == 42
    assert await call("allocate_in_fork", megabytes=16, memory_mb=256) == 0


async def test_a_function_that_forks_and_returns_twice_answers_once(call):
    assert await call("fork_and_return") == {"forked": True}


@pytest.mark.parametrize("signal_name", ["SIGSEGV", "SIGKILL", "SIGTERM"])
async def test_a_signal_that_kills_the_function_is_named(call, signal_name):
    with pytest.raises(FunctionFailed, match=f"was killed by {signal_name} before it returned"):
        await call("kill_itself", name=signal_name)


async def test_a_result_over_the_limit_ends_for_good_with_both_sizes(call):
    assert await call("text", length=499, output_bytes=1000) == "ü" * 499
    with pytest.raises(GiveUp, match=r"its result takes 1002 bytes as JSON, and 1000 are allowed.*output_bytes"):
        await call("text", length=500, output_bytes=1000)


async def test_the_message_of_an_exception_does_not_count_for_the_limit_of_results(call):
    with pytest.raises(FunctionFailed, match=r"x{3000}"):
        await call("fail", message="x" * 3000, output_bytes=10)


async def test_a_hundred_megabytes_of_prints_are_neither_kept_nor_in_the_way(call, caplog):
    caplog.set_level(logging.INFO, "test.tde")
    tracemalloc.start()
    try:
        assert await call("flood", megabytes=100) == 100
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
    (record,) = caplog.records
    assert "(the rest was dropped)" in record.getMessage()
    assert len(record.getMessage()) < 70_000


async def test_many_functions_at_once_do_not_disturb_each_other(call):
    results = await asyncio.gather(*(call("add", left=number) for number in range(8)))
    assert results == [number + 1 for number in range(8)]
