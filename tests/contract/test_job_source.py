"""The port JobSource: taking jobs under a lease, and every way to end one."""

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from procos.errors import EngineError, EngineNotFound, EngineRejected
from procos.model.job import Completed, ErrorThrown, Failed, Job
from tests.contract.conftest import LEASE, Subject
from tests.contract.processes import flow, one_task, process, task

pytestmark = pytest.mark.anyio

SHORT = timedelta(milliseconds=300)
TOO_LARGE = {"text": "x" * (5 * 1024**2)}


# activate


async def test_a_job_says_where_it_comes_from(subject: Subject) -> None:
    name = subject.new_name("contract-größe")
    deployment = await subject.deploy(one_task(name, name, headers={"schlüssel": "wert, ü", "b": "="}, retries=5))
    instance = await subject.engine.create_instance(name, variables={"größe": {"cm": [1, 2]}})
    now = subject.clock.now() if subject.clock else datetime.now(UTC)
    job = await subject.take(name, worker="der Arbeiter", lease=LEASE)
    assert job.type == name
    assert job.process_instance_key == instance.key
    assert job.process_definition_id == name
    assert job.process_definition_key == deployment.resources[0].key
    assert job.process_definition_version == 1
    assert job.element_id == "task"
    assert job.retries == 5
    assert job.variables == {"größe": {"cm": [1, 2]}}
    assert job.custom_headers == {"schlüssel": "wert, ü", "b": "="}
    assert job.tenant_id == subject.kind.tenant_id
    assert job.worker == "der Arbeiter"
    assert abs(job.deadline - now - LEASE) < timedelta(seconds=15)
    assert len({job.key, job.element_instance_key, instance.key}) == 3


async def test_type_and_retries_may_be_expressions(subject: Subject) -> None:
    name = subject.new_name()
    body = ['<bpmn:startEvent id="start"/>', task("task", '=kind + "-x"', retries="=tries + 1"), flow("start", "task")]
    await subject.deploy(process(name, *body))
    await subject.engine.create_instance(name, variables={"kind": name, "tries": 1})
    assert (await subject.take(f"{name}-x")).retries == 2


async def test_never_more_jobs_than_asked_for_and_the_oldest_first(subject: Subject) -> None:
    name = subject.new_name()
    await subject.deploy(one_task(name, name))
    started = [(await subject.engine.create_instance(name)).key for _ in range(5)]
    first = await subject.jobs.activate(name, worker="w", max_jobs=2, lease=LEASE)
    rest = await subject.jobs.activate(name, worker="w", max_jobs=100, lease=LEASE)
    came = [job.process_instance_key for job in (*first, *rest)]
    assert (len(first), len(rest)) == (2, 3)
    assert sorted(came) == started
    assert came == started or not subject.kind.gives_the_oldest_job_first


async def test_a_request_for_no_jobs_gets_none_or_is_refused(subject: Subject) -> None:
    name = await subject.start()
    if subject.kind.takes_requests_for_no_jobs:
        assert await subject.jobs.activate(name, worker="w", max_jobs=0, lease=LEASE) == []
    else:
        with pytest.raises(EngineRejected, match="max jobs to activate to be greater than zero"):
            await subject.jobs.activate(name, worker="w", max_jobs=0, lease=LEASE)
    assert len(await subject.free_jobs(name)) == 1


async def test_only_the_variables_that_are_asked_for_leave_the_engine(subject: Subject) -> None:
    name = await subject.start({"a": 1, "b": 2, "c": 3}, inputs={"local": "=a"})
    job = await subject.take(name, fetch_variables=["b", "local", "unknown"])
    assert job.variables == {"b": 2, "local": 1}


async def test_without_jobs_the_answer_is_empty_at_once(subject: Subject) -> None:
    async with asyncio.timeout(5):
        assert await subject.free_jobs(subject.new_name()) == []


async def test_a_request_waits_for_the_first_job_and_no_longer(subject: Subject) -> None:
    name = subject.new_name()
    await subject.deploy(one_task(name, name))
    waiting = asyncio.create_task(
        subject.jobs.activate(name, worker="w", max_jobs=10, lease=LEASE, wait=timedelta(seconds=30))
    )
    await asyncio.sleep(0.2)
    if not subject.kind.waits_for_jobs:
        assert await waiting == []
        return
    assert not waiting.done()
    await subject.engine.create_instance(name)
    async with asyncio.timeout(10):
        assert len(await waiting) == 1


async def test_a_request_that_is_not_met_ends_empty(subject: Subject) -> None:
    async with asyncio.timeout(10):
        assert await subject.jobs.activate(subject.new_name(), worker="w", max_jobs=1, lease=LEASE, wait=SHORT) == []


@pytest.mark.parametrize(
    ("job_type", "lease", "word"),
    [("", LEASE, "type to be present"), ("t", timedelta(0), "timeout to be greater than zero")],
)
async def test_a_request_without_type_or_lease_is_refused(
    subject: Subject, job_type: str, lease: timedelta, word: str
) -> None:
    with pytest.raises(EngineRejected, match=word):
        await subject.jobs.activate(job_type, worker="w", max_jobs=1, lease=lease)


# leases


async def test_nobody_gets_a_job_that_is_leased(subject: Subject) -> None:
    name = await subject.start()
    await subject.take(name)
    assert await subject.free_jobs(name) == []


async def test_a_job_whose_lease_is_over_is_given_to_the_next(subject: Subject) -> None:
    name = await subject.start({"a": 1})
    first = await subject.take(name, lease=SHORT, worker="one")
    await subject.pass_time(SHORT)
    again = await subject.take(name, worker="two")
    assert (again.key, again.worker, again.retries, again.variables) == (first.key, "two", 3, {"a": 1})
    assert again.deadline > first.deadline
    # Whoever is first ends it, even if that is the one whose lease was over.
    await subject.jobs.deliver(first, Completed())
    with pytest.raises(EngineNotFound):
        await subject.jobs.deliver(again, Completed())


async def test_a_renewed_lease_goes_on_from_now(subject: Subject) -> None:
    name = await subject.start()
    job = await subject.take(name, lease=timedelta(seconds=2))
    await subject.pass_time(timedelta(seconds=1))
    await subject.jobs.renew(job, LEASE)
    await subject.pass_time(timedelta(seconds=2.5))
    assert await subject.free_jobs(name) == []
    await subject.jobs.renew(job, SHORT)
    await subject.pass_time(SHORT)
    assert (await subject.take(name)).key == job.key


async def test_the_lease_of_a_job_that_has_ended_is_not_found(subject: Subject) -> None:
    name = await subject.start()
    job = await subject.take(name)
    await subject.jobs.deliver(job, Completed())
    with pytest.raises(EngineNotFound, match="no such job was found"):
        await subject.jobs.renew(job, LEASE)


async def test_the_lease_of_a_job_that_waits_for_its_next_try_is_refused(subject: Subject) -> None:
    name = await subject.start()
    job = await subject.take(name)
    await subject.jobs.deliver(job, Failed("no", retries=1, backoff=LEASE))
    with pytest.raises(EngineRejected, match="is not active"):
        await subject.jobs.renew(job, LEASE)


# deliver


async def test_a_result_is_taken_once(subject: Subject) -> None:
    name = await subject.start()
    job = await subject.take(name)
    await subject.jobs.deliver(job, Completed({"a": "ü"}))
    for outcome in (Completed(), Failed("late", retries=1), ErrorThrown("LATE")):
        with pytest.raises(EngineNotFound, match="no such job was found"):
            await subject.jobs.deliver(job, outcome)


async def test_a_failed_job_comes_back_at_once_with_the_retries_that_were_said(subject: Subject) -> None:
    name = await subject.start({"a": 1})
    job = await subject.take(name)
    await subject.jobs.deliver(job, Failed("nö", retries=7))
    again = await subject.take(name)
    assert (again.key, again.retries, again.variables) == (job.key, 7, {"a": 1})


async def test_a_failed_job_waits_for_its_backoff(subject: Subject) -> None:
    name = await subject.start()
    job = await subject.take(name)
    await subject.jobs.deliver(job, Failed("no", retries=1, backoff=timedelta(seconds=2)))
    assert await subject.free_jobs(name) == []
    with pytest.raises(EngineNotFound, match="FAILED"):
        await subject.jobs.deliver(job, Completed())
    await subject.pass_time(timedelta(seconds=2))
    assert (await subject.take(name)).key == job.key


@pytest.mark.parametrize("retries", [0, -1])
async def test_without_retries_nobody_gets_the_job(subject: Subject, retries: int) -> None:
    name = await subject.start()
    job = await subject.take(name)
    await subject.jobs.deliver(job, Failed("no", retries=retries))
    assert await subject.free_jobs(name) == []
    for outcome in (Completed(), Failed("again", retries=3), ErrorThrown("NO")):
        with pytest.raises(EngineNotFound, match="FAILED"):
            await subject.jobs.deliver(job, outcome)


async def test_an_error_that_nobody_catches_ends_the_job_for_good(subject: Subject) -> None:
    name = await subject.start()
    job = await subject.take(name)
    await subject.jobs.deliver(job, ErrorThrown("NOBODY", "waits for this"))
    assert await subject.free_jobs(name) == []
    with pytest.raises(EngineNotFound, match="ERROR_THROWN"):
        await subject.jobs.deliver(job, Completed())


@pytest.mark.parametrize("outcome", [Completed(TOO_LARGE), ErrorThrown("CODE", "", TOO_LARGE)], ids=["result", "error"])
async def test_what_is_too_large_is_refused_and_the_job_stays_ours(
    subject: Subject, outcome: Completed | ErrorThrown
) -> None:
    name = await subject.start()
    job = await subject.take(name)
    with pytest.raises(EngineRejected, match="larger than the engine takes"):
        await subject.jobs.deliver(job, outcome)
    await subject.jobs.deliver(job, Failed("too large", retries=2))
    assert (await subject.take(name)).retries == 2


async def test_a_result_that_is_not_json_is_refused_and_the_job_stays_ours(subject: Subject) -> None:
    name = await subject.start()
    job = await subject.take(name)
    with pytest.raises(EngineError) as refused:
        await subject.jobs.deliver(job, Completed({"x": math.inf}))
    if subject.kind.says_why_json_is_wrong:
        assert isinstance(refused.value, EngineRejected)
        assert "JSON" in refused.value.reason
    await subject.jobs.deliver(job, Completed())


# stream


class Stream:
    """A stream that is open, and the jobs that came."""

    def __init__(self, jobs: AsyncGenerator[Job, None]) -> None:
        self.jobs: list[Job] = []
        self._came = asyncio.Event()
        self._task = asyncio.create_task(self._read(jobs))

    async def has(self, count: int) -> list[Job]:
        async with asyncio.timeout(15):
            while len(self.jobs) < count:
                await self.next_job()
        return self.jobs

    def next_job(self) -> "asyncio.Task[bool]":
        self._came.clear()
        return asyncio.create_task(self._came.wait())

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self, jobs: AsyncGenerator[Job, None]) -> None:
        async with contextlib.aclosing(jobs):
            async for job in jobs:
                self.jobs.append(job)
                self._came.set()


@pytest.fixture
def streaming(subject: Subject) -> Subject:
    if not subject.kind.pushes_to_streams:
        pytest.skip(f"{subject.name} pushes nothing: test_an_engine_without_streams_says_nothing holds that fact")
    return subject


@contextlib.asynccontextmanager
async def streams(subject: Subject, name: str, count: int = 1, **options: object) -> AsyncIterator[list[Stream]]:
    """Streams that the engine knows of: a job of theirs has come to each."""
    request = {"worker": "test", "lease": LEASE} | options
    opened = [Stream(subject.jobs.stream(name, **request)) for _ in range(count)]  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(20):
            while not all(stream.jobs for stream in opened):
                await subject.engine.create_instance(name, variables={"a": "first", "b": 1})
                await asyncio.sleep(0.1)
        yield opened
    finally:
        for stream in opened:
            await stream.close()


async def test_what_becomes_available_is_pushed_and_leased(streaming: Subject) -> None:
    name = streaming.new_name()
    await streaming.deploy(one_task(name, name))
    async with streams(streaming, name, worker="strömung", fetch_variables=["a"]) as (stream,):
        # Those that came before the engine knew of the stream are not pushed; nor are they lost.
        before = await streaming.free_jobs(name)
        known = len(stream.jobs)
        instance = await streaming.engine.create_instance(name, variables={"a": 1, "b": 2})
        job = (await stream.has(known + 1))[-1]
        assert (job.process_instance_key, job.variables, job.worker) == (instance.key, {"a": 1}, "strömung")
        assert await streaming.free_jobs(name) == []
        await streaming.jobs.deliver(job, Completed())
        assert not {it.key for it in before} & {it.key for it in stream.jobs}


async def test_what_waited_before_is_not_pushed(streaming: Subject) -> None:
    name = await streaming.start()
    async with streams(streaming, name) as (stream,):
        backlog = {job.key for job in await streaming.free_jobs(name)}
        assert backlog
        assert not backlog & {job.key for job in stream.jobs}


async def test_several_streams_share_the_jobs(streaming: Subject) -> None:
    name = streaming.new_name()
    await streaming.deploy(one_task(name, name))
    async with streams(streaming, name, 2) as (one, other):
        known = len(one.jobs) + len(other.jobs)
        new = [(await streaming.engine.create_instance(name)).key for _ in range(20)]
        async with asyncio.timeout(15):
            while len(one.jobs) + len(other.jobs) < known + 20:
                await asyncio.wait({one.next_job(), other.next_job()}, return_when=asyncio.FIRST_COMPLETED)
        came = [job.process_instance_key for job in (*one.jobs, *other.jobs)]
        assert len(came) == len(set(came))
        assert set(new) <= set(came)


async def test_a_job_that_becomes_free_again_is_pushed_again(streaming: Subject) -> None:
    name = streaming.new_name()
    await streaming.deploy(one_task(name, name))
    async with streams(streaming, name) as (stream,):
        job = stream.jobs[-1]
        known = len(stream.jobs)
        await streaming.jobs.deliver(job, Failed("no", retries=2))
        again = (await stream.has(known + 1))[-1]
        assert (again.key, again.retries) == (job.key, 2)
        await streaming.jobs.deliver(again, Failed("no", retries=1, backoff=SHORT))
        await streaming.pass_time(SHORT)
        assert (await stream.has(known + 2))[-1].key == job.key
        await streaming.jobs.renew(job, SHORT)
        await streaming.pass_time(SHORT)
        assert (await stream.has(known + 3))[-1].key == job.key


async def test_what_a_closed_stream_does_not_get_can_be_taken(streaming: Subject) -> None:
    name = streaming.new_name()
    await streaming.deploy(one_task(name, name))
    async with streams(streaming, name) as (stream,):
        await streaming.free_jobs(name)
    known = len(stream.jobs)
    await asyncio.sleep(0.3)
    instance = await streaming.engine.create_instance(name)
    assert (await streaming.take(name)).process_instance_key == instance.key
    assert len(stream.jobs) == known


async def test_an_engine_without_streams_says_nothing(subject: Subject) -> None:
    if subject.kind.pushes_to_streams:
        pytest.skip("this engine has streams; the tests above are about them")
    name = subject.new_name()
    await subject.deploy(one_task(name, name))
    stream = Stream(subject.jobs.stream(name, worker="w", lease=LEASE))
    await asyncio.sleep(0.5)
    await subject.engine.create_instance(name)
    await asyncio.sleep(1)
    assert stream.jobs == []
    assert len(await subject.free_jobs(name)) == 1
    await stream.close()
