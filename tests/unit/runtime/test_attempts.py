"""A worker with a ledger: outcomes that survive it, failures counted, progress kept."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from procos.errors import EngineRejected, EngineUnavailable, GiveUp, RetryLater
from procos.model.job import Completed, ErrorThrown, Job, Outcome
from procos.model.ledger import LedgerEntry
from procos.runtime import journal as journal_module
from procos.runtime.attempt import Attempt
from procos.runtime.journal import Journal
from procos.runtime.worker import Worker, WorkerCounts
from procos.sdk import RetryPolicy, TaskContext
from procos.sdk.registration import NoConfig
from tests.unit.runtime.a_job import a_job
from tests.unit.runtime.gates import Gates, In, Out
from tests.unit.runtime.ledgers import WatchedLedger
from tests.unit.runtime.memory_jobs import MemoryJobs
from tests.unit.runtime.workers import running, settle, until, worker_for

pytestmark = pytest.mark.anyio

TYPE = "tde.some"
SHORT_LEASE = timedelta(milliseconds=100)
Context = TaskContext[NoConfig]


async def greet(data: In) -> Out:
    return Out(text=f"Hello {data.name}")


def with_ledger(jobs: MemoryJobs, function: Any, ledger: WatchedLedger, **options: Any) -> Worker:
    return worker_for(jobs, function, journal=Journal(ledger, write_after_s=0), **options)


class Held(MemoryJobs):
    """Takes no outcome until `let_through` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.let_through = asyncio.Event()

    async def deliver(self, job: Job, outcome: Outcome) -> None:
        self._tell()
        await self.let_through.wait()
        await super().deliver(job, outcome)


# Outcomes


async def test_an_outcome_is_stored_while_it_is_being_delivered_and_gone_when_the_engine_has_it():
    jobs, ledger = Held(), WatchedLedger()
    key = jobs.add(TYPE, name="Ann")
    async with running(with_ledger(jobs, greet, ledger)):
        await until(lambda: len(ledger))
        stored = await ledger.now(key)
        assert jobs.completed == {}
        jobs.let_through.set()
        await until(lambda: not len(ledger))
        assert list(jobs.completed) == [key]

    assert stored == LedgerEntry(job_key=key, outcome=Completed({"text": "Hello Ann"}))


async def test_what_the_engine_confirms_at_once_is_never_written():
    jobs, ledger = MemoryJobs(), WatchedLedger()
    keys = [jobs.add(TYPE, name="Ann") for _ in range(5)]
    worker = worker_for(jobs, greet, journal=Journal(ledger, write_after_s=0.2))
    async with running(worker):
        await jobs.until(lambda: set(jobs.completed) == set(keys))

    assert (ledger.recorded, ledger.forgotten) == ([], [])


@pytest.mark.parametrize("outcome", [Completed({"text": "from before"}), ErrorThrown("CODE", "why", {"a": 1})])
async def test_an_outcome_of_an_earlier_worker_is_delivered_and_its_function_not_run_again(outcome):
    jobs, gates, ledger = MemoryJobs(), Gates(), WatchedLedger()
    key = jobs.add(TYPE, name="a")
    await ledger.record([LedgerEntry(job_key=key, outcome=outcome)])

    async with running(with_ledger(jobs, gates.enter, ledger)) as worker:
        await jobs.until(lambda: jobs.completed or jobs.thrown)
        await until(lambda: not len(ledger))
        assert worker.counts.replayed == 1
        assert worker.counts.completed + worker.counts.errors_thrown == 1

    assert gates.started == []
    assert jobs.completed == ({key: {"text": "from before"}} if isinstance(outcome, Completed) else {})
    assert jobs.thrown == ([(key, outcome)] if isinstance(outcome, ErrorThrown) else [])


async def test_a_worker_that_could_not_deliver_leaves_its_outcome_to_the_next():
    jobs, ledger = MemoryJobs(), WatchedLedger()
    key = jobs.add(TYPE, name="Ann")
    jobs.refuse("renew", EngineUnavailable("away"), times=100)
    jobs.refuse("deliver", EngineUnavailable("away"), times=100)
    started: list[str] = []

    async def once(data: In) -> Out:
        started.append(data.name)
        return Out(text="done once")

    first = with_ledger(jobs, once, ledger, lease=SHORT_LEASE)
    first.hand_back_within = timedelta(seconds=0.05)
    async with running(first):
        await until(lambda: len(ledger))
    jobs._faults.clear()
    async with running(with_ledger(jobs, once, ledger)) as second:
        await jobs.until(lambda: key in jobs.completed)
        assert second.counts.replayed == 1

    assert started == ["Ann"]
    assert len(ledger) == 0


async def test_a_stored_result_that_the_engine_refuses_is_an_incident_and_not_replayed_for_ever():
    jobs, ledger = MemoryJobs(largest_result=100), WatchedLedger()
    key = jobs.add(TYPE, name="a")
    await ledger.record([LedgerEntry(job_key=key, failures=1, outcome=Completed({"text": "x" * 200}))])

    async with running(with_ledger(jobs, greet, ledger)) as worker:
        await jobs.until(lambda: jobs.incidents)
        await settle()
        assert worker.counts == WorkerCounts(failed=1, replayed=1)

    assert await ledger.now(key) == LedgerEntry(job_key=key, failures=2)


async def test_a_job_that_the_engine_does_not_know_leaves_nothing_behind():
    jobs, ledger = Held(), WatchedLedger()
    key = jobs.add(TYPE, name="a")
    async with running(with_ledger(jobs, greet, ledger)):
        await until(lambda: len(ledger))
        jobs.cancel(key)
        jobs.let_through.set()
        await until(lambda: not len(ledger))


async def test_a_job_that_was_handed_back_is_not_counted_as_failed():
    jobs, gates, ledger = MemoryJobs(), Gates(), WatchedLedger()
    jobs.add(TYPE, name="a")
    async with running(with_ledger(jobs, gates.enter, ledger)):
        await gates.has_started(1)

    assert len(jobs.failures) == 1
    assert len(ledger) == 0


# Failures


async def test_attempts_are_counted_whatever_the_retries_of_the_task_are():
    seen: list[int] = []

    def fail(data: In, context: Context) -> Out:
        seen.append(context.attempt)
        raise ValueError("no good")

    jobs, ledger = MemoryJobs(), WatchedLedger()
    key = jobs.add(TYPE, retries=5)
    async with running(with_ledger(jobs, fail, ledger)):
        await jobs.until(lambda: jobs.incidents)

    assert seen == [1, 2, 3, 4, 5]
    assert await ledger.now(key) == LedgerEntry(job_key=key, failures=5)


async def test_attempts_of_an_earlier_worker_count():
    seen: list[int] = []

    def look(data: In, context: Context) -> Out:
        seen.append(context.attempt)
        return Out(text="")

    jobs, ledger = MemoryJobs(), WatchedLedger()
    key = jobs.add(TYPE)
    await ledger.record([LedgerEntry(job_key=key, failures=6)])
    async with running(with_ledger(jobs, look, ledger)):
        await jobs.until(lambda: jobs.completed)
        await until(lambda: not len(ledger))

    assert seen == [7]


async def test_the_attempts_of_the_tde_are_made_whatever_the_retries_of_the_task_are():
    seen: list[int] = []

    def fail(data: In, context: Context) -> Out:
        seen.append(context.attempt)
        raise ValueError("no good")

    jobs = MemoryJobs()
    jobs.add(TYPE, retries=1)
    policy = RetryPolicy(first_backoff=timedelta(0), attempts=4)
    async with running(with_ledger(jobs, fail, WatchedLedger(), retry=policy)):
        await jobs.until(lambda: jobs.incidents)

    assert seen == [1, 2, 3, 4]
    assert [failed.retries for _, failed in jobs.failures] == [3, 2, 1, 0]


async def test_waiting_with_all_retries_kept_is_no_failure():
    seen: list[int] = []

    def wait(data: In, context: Context) -> Out:
        seen.append(context.attempt)
        if len(seen) < 6:
            raise RetryLater("not yet", after=timedelta(0), keep_retries=True)
        return Out(text="there")

    jobs, ledger = MemoryJobs(), WatchedLedger()
    key = jobs.add(TYPE, retries=2)
    async with running(with_ledger(jobs, wait, ledger)) as worker:
        await jobs.until(lambda: key in jobs.completed)
        await settle()
        assert worker.counts == WorkerCounts(completed=1)

    assert seen == [1] * 6
    assert {failed.retries for _, failed in jobs.failures} == {2}


# Progress


async def test_what_an_attempt_kept_is_there_for_the_next_and_gone_when_the_job_is_done():
    seen: list[Any] = []

    def step(data: In, context: Context) -> Out:
        seen.append(context.saved)
        context.progress({"done": len(seen), "pages": (1, 2)})
        if len(seen) < 3:
            raise ValueError("once more")
        return Out(text="done")

    jobs, ledger = MemoryJobs(), WatchedLedger()
    jobs.add(TYPE, retries=5)
    async with running(with_ledger(jobs, step, ledger)):
        await jobs.until(lambda: jobs.completed)
        await until(lambda: not len(ledger))

    assert seen == [None, {"done": 1, "pages": [1, 2]}, {"done": 2, "pages": [1, 2]}]


async def test_an_attempt_that_keeps_nothing_leaves_what_an_earlier_one_kept():
    seen: list[Any] = []

    async def step(data: In, context: Context) -> Out:
        seen.append(context.saved)
        if len(seen) == 1:
            context.progress("kept")
        raise ValueError("once more")

    jobs = MemoryJobs()
    jobs.add(TYPE, retries=3)
    async with running(with_ledger(jobs, step, WatchedLedger())):
        await jobs.until(lambda: jobs.incidents)

    assert seen == [None, "kept", "kept"]


@pytest.mark.parametrize("is_async", [True, False])
async def test_what_is_kept_is_written_while_the_function_still_runs(is_async):
    jobs, gates, ledger = MemoryJobs(), Gates(), WatchedLedger()
    key = jobs.add(TYPE, name="a")

    async def work(data: In, context: Context) -> Out:
        keep = (context.progress, [7])
        await (asyncio.sleep(0, keep[0](keep[1])) if is_async else asyncio.to_thread(*keep))
        return await gates.enter(data)

    async with running(with_ledger(jobs, work, ledger)):
        await gates.has_started(1)
        await until(lambda: len(ledger))
        assert await ledger.now(key) == LedgerEntry(job_key=key, progress=[7])
        gates.open("a")
        await jobs.until(lambda: key in jobs.completed)


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}])
async def test_progress_that_is_not_json_is_said_so_at_once(value):
    attempt = Attempt(a_job(), progress="before")

    with pytest.raises(TypeError, match=r"progress\(\.\.\.\) takes what JSON can hold"):
        attempt.keep(value)
    assert attempt.progress == "before"


async def test_what_is_kept_is_a_copy():
    attempt, pages = Attempt(a_job()), [1]
    attempt.keep(pages)
    pages.append(2)

    assert attempt.progress == [1]


async def test_a_secret_that_is_kept_is_kept_as_its_reference():
    jobs, ledger = MemoryJobs(), WatchedLedger()

    def fail(data: In, context: Context) -> Out:
        context.progress({"token": data.name})
        raise GiveUp("no")

    key = jobs.add(TYPE, name="{{secrets.TOKEN}}")
    async with running(with_ledger(jobs, fail, ledger, secrets={"TOKEN": "tok-313233"})):
        await jobs.until(lambda: jobs.incidents)

    assert await ledger.now(key) == LedgerEntry(job_key=key, failures=1, progress={"token": "{{secrets.TOKEN}}"})


# A ledger that does not answer


async def test_jobs_go_on_while_the_ledger_is_away(caplog, monkeypatch):
    monkeypatch.setattr(journal_module, "_FIRST_WAIT_S", 0.005)
    jobs, ledger = MemoryJobs(), WatchedLedger()
    ledger.is_away = True
    failing = jobs.add(TYPE, name="fail")
    keys = [jobs.add(TYPE, name=str(number)) for number in range(10)]

    async def do(data: In) -> Out:
        if data.name == "fail":
            raise GiveUp("no")
        return Out(text="")

    async with running(with_ledger(jobs, do, ledger)):
        await jobs.until(lambda: set(jobs.completed) == set(keys) and jobs.incidents)
        ledger.is_away = False
        await until(lambda: len(ledger))

    assert caplog.text.count("the outcome ledger does not answer") == 1
    assert await ledger.now(failing) == LedgerEntry(job_key=failing, failures=1)


async def test_the_jobs_of_one_answer_are_looked_up_together():
    jobs, ledger = MemoryJobs(streams_are_silent=True), WatchedLedger()
    keys = [jobs.add(TYPE, name="x") for _ in range(20)]
    async with running(with_ledger(jobs, greet, ledger, slots=20)):
        await jobs.until(lambda: set(jobs.completed) == set(keys))

    assert ledger.recalled == [keys]


async def test_a_failure_that_the_engine_refuses_leaves_nothing_behind():
    jobs, ledger = MemoryJobs(), WatchedLedger()
    jobs.add(TYPE)

    def fail(data: In) -> Out:
        raise GiveUp("no")

    jobs.refuse("deliver", EngineRejected("cannot", reason="it is over"))
    async with running(with_ledger(jobs, fail, ledger)):
        await jobs.until(lambda: "deliver" in jobs.calls)

    assert len(ledger) == 0


# Without a ledger


@pytest.mark.parametrize(("retries", "number"), [(3, 1), (1, 3), (9, 1)])
def test_without_a_ledger_the_retries_tell_which_attempt_it_is(retries, number):
    assert Attempt.without_ledger(a_job(retries=retries)).number == number
