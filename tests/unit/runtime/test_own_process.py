"""CPU-bound functions in processes of their own: what comes back, and what ends them."""

import asyncio
import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from procos.model.job import Completed, ErrorThrown, Failed, Job, Outcome
from procos.runtime.attempt import Attempt
from procos.runtime.execution import Execution
from procos.sdk import RetryPolicy
from procos.sdk.registration import NoConfig
from procos.telemetry.secret_mask import secret_mask
from tests.unit.runtime import computing
from tests.unit.runtime.a_job import a_job
from tests.unit.runtime.memory_jobs import MemoryJobs
from tests.unit.runtime.workers import tde_of, until, worker_for

pytestmark = pytest.mark.anyio

A_WHILE = timedelta(seconds=1)


def execution(
    function: Any, *, secrets: dict[str, str] | None = None, declared: tuple[str, ...] = ("*",), **options: Any
) -> Execution:
    made = tde_of(function, cpu_bound=True, **{"secrets": declared, **options})
    return Execution(tde=made, config=NoConfig(), secrets=secrets or {}, data_folder=Path("/srv"))


async def run(function: Any, job: Job | None = None, attempt: Attempt | None = None, **options: Any) -> Outcome:
    async with asyncio.timeout(60):
        return await execution(function, **options).run(job or a_job(), attempt)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# What comes back


async def test_it_runs_in_another_process_which_serves_again():
    first, second = await run(computing.process_id), await run(computing.process_id)

    assert isinstance(first, Completed)
    assert first.variables["value"] != os.getpid()
    assert first == second


async def test_an_idle_process_that_was_killed_is_replaced():
    first = await run(computing.process_id)
    assert isinstance(first, Completed)
    idle = psutil.Process(first.variables["value"])
    idle.kill()
    await until(lambda: not is_alive(idle))
    await asyncio.sleep(0.1)  # the loop is told of the end by a thread

    second = await run(computing.process_id)
    assert isinstance(second, Completed)
    assert second.variables["value"] != first.variables["value"]


async def test_it_gets_its_input_and_its_context():
    job = a_job(text="ä", headers={"check": "disk"})

    outcome = await run(computing.echo, job, Attempt(job, failures=2, progress={"page": 1}))
    assert outcome == Completed({"value": ["ä", 7, 3, "disk", {"page": 1}]})


async def test_it_may_return_nothing():
    assert await run(computing.nothing) == Completed({})


async def test_what_it_raises_on_purpose_comes_back_as_it_is():
    outcomes = [await run(computing.raise_one, a_job(do=do)) for do in ("bpmn", "later", "give up")]

    assert outcomes == [
        ErrorThrown("CODE", "why", {"n": [1]}),
        Failed("not now", retries=3, backoff=timedelta(minutes=7)),
        Failed("never", retries=0),
    ]


async def test_an_error_of_the_authors_own_comes_back_and_the_policy_knows_its_class(caplog):
    assert await run(computing.raise_one, a_job(do="own")) == Failed("Own: of my own", retries=2)
    assert "in raise_one" in caplog.text, "the log shows where it was raised"
    policy = RetryPolicy(give_up_on=(computing.Own,))
    assert await run(computing.raise_one, a_job(do="own"), retry=policy) == Failed("Own: of my own", retries=0)


@pytest.mark.parametrize(
    ("do", "words"),
    [("odd", "Odd: odd 7: words"), ("lock", "ValueError: <unlocked _thread.lock"), ("exit", "SystemExit: 3"),
     ("interrupt", "KeyboardInterrupt"), ("stop", "StopIteration: empty")],
)  # fmt: skip
async def test_whatever_it_raises_is_a_failure_of_its_job_and_the_process_goes_on(do, words):
    before = await run(computing.process_id)
    outcome = await run(computing.raise_one, a_job(do=do))

    assert isinstance(outcome, Failed)
    assert words in outcome.message
    assert outcome.retries == 2
    assert await run(computing.process_id) == before


async def test_a_result_that_cannot_be_sent_back_fails_the_job():
    outcome = await run(computing.unpicklable)

    assert isinstance(outcome, Failed)
    assert "cannot pickle '_thread.lock' object" in outcome.message


async def test_a_process_that_dies_is_said_to_have_died():
    outcome = await run(computing.die)

    assert isinstance(outcome, Failed)
    assert outcome.retries == 2
    assert "the process in which 'some' ran ended in the middle of its work" in outcome.message
    assert isinstance(await run(computing.process_id), Completed)


async def test_what_it_logs_comes_back(caplog):
    with caplog.at_level(logging.INFO, logger="procos"):
        await run(computing.log)

    said = [(record.name, record.getMessage()) for record in caplog.records]
    assert said == [
        ("procos.tde.some", "said by context"),
        ("some.library", "said by a library"),
        ("procos.tde.some", "said with a traceback"),
    ]
    assert "ValueError: invalid literal for int()" in caplog.text


async def test_what_it_keeps_comes_back_though_it_fails():
    job = a_job()
    attempt = Attempt(job)

    assert isinstance(await run(computing.keep, job, attempt), Failed)
    assert attempt.progress == {"page": 2}


async def test_progress_that_is_not_json_is_said_so_at_once():
    outcome = await run(computing.keep_what_is_not_json)

    assert isinstance(outcome, Completed)
    assert outcome.variables["value"].startswith("progress(...) takes what JSON can hold")


# Secrets


async def test_a_secret_that_it_uses_gets_into_no_result_no_error_and_no_log(caplog):
    secret = "tok-used-there-77"
    caplog.handler.addFilter(secret_mask)
    done = await run(computing.use_secret, secrets={"TOKEN": secret})
    failed = await run(computing.use_secret, a_job(do="fail"), secrets={"TOKEN": secret})
    caplog.handler.removeFilter(secret_mask)

    assert done == Completed({"value": "<{{secrets.TOKEN}}>"})
    assert failed == Failed("ValueError: cannot log in with {{secrets.TOKEN}}", retries=2)
    assert "logged in with ***" in caplog.text
    assert secret not in caplog.text


@pytest.mark.parametrize(
    ("declared", "words"),
    [((), "declares no secrets"), (("OTHER",), "declares OTHER"), (("T*",), "there is no secret")],
)
async def test_a_secret_that_it_may_not_have_is_a_failure_for_good(declared, words):
    outcome = await run(computing.use_secret, declared=declared)

    assert isinstance(outcome, Failed)
    assert outcome.retries == 0
    assert words in outcome.message


# What ends it


def is_running(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def process_in(file: Path) -> int:
    def text() -> str:
        return file.read_text(encoding="ascii") if file.exists() else ""

    await until(text)
    return int(text())


async def test_the_time_limit_ends_its_process(tmp_path):
    file = tmp_path / "pid"
    await run(computing.nothing)  # so that the process is there when the clock starts
    outcome = await run(computing.hang, a_job(text=str(file)), time_limit=A_WHILE)

    assert outcome == Failed("'some' gave no result within its time limit of 1 s", retries=2)
    process = await process_in(file)
    await until(lambda: not is_running(process))


async def test_cancellation_ends_its_process(tmp_path):
    file = tmp_path / "pid"
    running = asyncio.create_task(run(computing.hang, a_job(text=str(file))))
    process = await process_in(file)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert running.cancelled()
    await until(lambda: not is_running(process))


async def test_a_job_that_is_gone_ends_its_process(tmp_path):
    file, jobs = tmp_path / "pid", MemoryJobs()
    key = jobs.add("tde.some", text=str(file))
    worker = worker_for(jobs, computing.hang, cpu_bound=True, lease=timedelta(milliseconds=200))
    task = asyncio.create_task(worker.run())
    process = await process_in(file)
    jobs.cancel(key)
    await until(lambda: not is_running(process))
    await worker.drain(timedelta(0))
    await task

    assert "deliver" not in jobs.calls


# What it prints


@pytest.mark.parametrize("function", [computing.print_a_lot, computing.start_programs])
async def test_what_it_prints_and_reads_disturbs_nothing(function):
    expected = {"print_a_lot": "printed", "start_programs": 0}[function.__name__]
    for _ in range(2):
        assert await run(function, time_limit=timedelta(seconds=30)) == Completed({"value": expected})


async def test_as_many_run_at_once_as_there_are_calls(tmp_path):
    files = [tmp_path / str(number) for number in range(3)]
    running = [asyncio.create_task(run(computing.hang, a_job(text=str(file)))) for file in files]
    processes = [await process_in(file) for file in files]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)

    assert len(set(processes)) == 3
    await until(lambda: not any(map(is_running, processes)))
