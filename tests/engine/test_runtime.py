"""A TDE's fate on the real engine: what a person sees in the instance, its incident and its result."""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from procos.kernel.instance_progress import InstanceProgress, Step
from procos.model.deployment import Resource
from procos.runtime.worker import Worker
from procos.sdk import BpmnError, RetryPolicy, TaskContext, tde
from procos.wiring.engines import EngineSession
from tests.engine.processes import one_task

pytestmark = [pytest.mark.engine, pytest.mark.anyio]

Work = Callable[..., AbstractAsyncContextManager[Worker]]
QUICK = RetryPolicy(first_backoff=timedelta(milliseconds=100), jitter=0)


class Order(BaseModel):
    amount: int


class Price(BaseModel):
    price: float


class Anything(BaseModel):
    value: Any = None


async def run(
    session: EngineSession, name: str, *, variables: dict[str, Any] | None = None, until: str = "end", **options: Any
) -> tuple[InstanceProgress, list[Step]]:
    """Runs an instance of a one-task process to its end, or to its first incident; and what was heard of its steps."""
    text = one_task(name, f"tde.{name}", **options)
    await session.engine.deploy([Resource(f"{name}.bpmn", text.encode())])
    assert session.records is not None
    tail = session.records.tail()
    instance = await session.engine.create_instance(name, variables=variables or {})
    progress = InstanceProgress(instance.key)
    heard: list[Step] = []
    async with asyncio.timeout(60):
        async for record in tail.of_instance(instance.key):
            step = progress.apply(record)
            if step is not None:
                heard.append(step)
            if until == "incident" and record.value_type == "INCIDENT" and record.intent == "CREATED":
                break
    return progress, heard


async def test_completes_with_its_output(session: EngineSession, work: Work) -> None:
    @tde("test-complete", description="Prices an order")
    def price(order: Order) -> Price:
        return Price(price=order.amount * 1.5)

    async with work(price):
        progress, _ = await run(session, "test-complete", variables={"amount": 4})
    assert progress.status == "completed"
    assert progress.variables["price"] == 6.0


async def test_missing_input_is_an_incident_that_names_field_and_type(session: EngineSession, work: Work) -> None:
    @tde("test-missing", description="Prices an order")
    def price(order: Order) -> Price:
        raise AssertionError("must not run")

    async with work(price):
        progress, _ = await run(session, "test-missing", until="incident")
    assert "input 'amount' is missing, expected integer" in progress.steps["task"].trouble


async def test_wrong_input_is_an_incident_that_names_field_and_type(session: EngineSession, work: Work) -> None:
    @tde("test-wrong", description="Prices an order")
    def price(order: Order) -> Price:
        raise AssertionError("must not run")

    async with work(price):
        progress, _ = await run(session, "test-wrong", variables={"amount": "many"}, until="incident")
    assert "input 'amount' is wrong, expected integer" in progress.steps["task"].trouble


async def test_exception_is_retried_with_backoff_and_ends_as_incident_with_its_message(
    session: EngineSession, work: Work
) -> None:
    moments: list[float] = []

    @tde("test-raise", description="Fails", retry=QUICK)
    def fail(_: Anything) -> None:
        moments.append(time.monotonic())
        raise ValueError("the shelf is empty")

    async with work(fail):
        progress, _ = await run(session, "test-raise", until="incident", retries=3)
    assert len(moments) == 3
    assert moments[1] - moments[0] >= 0.1
    assert moments[2] - moments[1] >= 0.2
    assert progress.steps["task"].failures == 3
    assert "ValueError: the shelf is empty" in progress.steps["task"].trouble


@pytest.mark.parametrize("kind", ["async", "thread"])
async def test_hanging_is_failed_at_the_time_limit(session: EngineSession, work: Work, kind: str) -> None:
    name = f"test-hang-{kind}"
    limit = timedelta(milliseconds=300)

    async def hang(_: Anything) -> None:
        await asyncio.sleep(3600)

    def hang_in_thread(_: Anything) -> None:
        time.sleep(20)

    function = hang if kind == "async" else hang_in_thread
    hanging = tde(name, description="Hangs", time_limit=limit, retry=QUICK)(function)
    async with work(hanging):
        progress, _ = await run(session, name, until="incident", retries=2)
    assert progress.steps["task"].failures == 2
    assert "gave no result within its time limit of 0.3 s" in progress.steps["task"].trouble


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [("object", object(), "not JSON"), ("nan", math.nan, "not JSON"), ("inside", {"a": [math.inf]}, "not JSON")],
)
async def test_result_that_is_not_json_is_retried_and_ends_as_incident(
    session: EngineSession, work: Work, name: str, value: object, reason: str
) -> None:
    runs = 0

    @tde(f"test-not-json-{name}", description="Returns what no JSON can hold", retry=QUICK)
    def strange(_: Anything) -> Anything:
        nonlocal runs
        runs += 1
        return Anything(value=value)

    async with work(strange):
        progress, _ = await run(session, f"test-not-json-{name}", until="incident", retries=2)
    assert runs == 2
    assert reason in progress.steps["task"].trouble


async def test_result_over_four_megabytes_is_an_incident_and_not_a_loop(session: EngineSession, work: Work) -> None:
    @tde("test-large", description="Returns too much")
    def large(_: Anything) -> Anything:
        return Anything(value="x" * 5_000_000)

    async with work(large):
        progress, _ = await run(session, "test-large", until="incident")
    assert "the engine refused the result" in progress.steps["task"].trouble


async def test_bpmn_error_is_caught_where_the_process_says_so(session: EngineSession, work: Work) -> None:
    @tde("test-bpmn-error", description="Throws")
    def throw(_: Anything) -> None:
        raise BpmnError("SOLD_OUT", "none left")

    async with work(throw):
        progress, _ = await run(session, "test-bpmn-error", catches="SOLD_OUT")
    assert progress.status == "completed"
    assert progress.variables["caught"] is True


async def test_error_code_header_turns_the_last_failure_into_a_bpmn_error(session: EngineSession, work: Work) -> None:
    runs = 0

    @tde("test-error-code", description="Fails", retry=QUICK)
    def fail(_: Anything) -> None:
        nonlocal runs
        runs += 1
        raise RuntimeError("no")

    async with work(fail):
        progress, _ = await run(session, "test-error-code", catches="GONE", headers={"errorCode": "GONE"}, retries=2)
    assert runs == 2
    assert progress.variables["caught"] is True


async def test_never_more_handlers_than_slots_and_all_jobs_done(session: EngineSession, work: Work) -> None:
    running = most = done = 0
    all_done = asyncio.Event()

    @tde("test-slots", description="Counts")
    async def count(_: Anything) -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.1)
        running -= 1
        done += 1
        if done == 60:
            all_done.set()

    text = one_task("test-slots", "tde.test-slots")
    await session.engine.deploy([Resource("test-slots.bpmn", text.encode())])
    async with work(count, slots=4), asyncio.timeout(60):
        await asyncio.gather(*(session.engine.create_instance("test-slots") for _ in range(60)))
        await all_done.wait()
    assert most == 4


async def test_lease_is_renewed_while_the_handler_runs(session: EngineSession, work: Work) -> None:
    runs = 0

    @tde("test-lease", description="Takes longer than its lease")
    async def slow(_: Anything) -> None:
        nonlocal runs
        runs += 1
        await asyncio.sleep(4)

    async with work(slow, lease=timedelta(seconds=1.5)):
        progress, _ = await run(session, "test-lease")
    assert progress.status == "completed"
    assert runs == 1


async def test_drain_hands_jobs_back_with_retries_unchanged(session: EngineSession, work: Work) -> None:
    seen: list[int] = []
    started = asyncio.Event()

    @tde("test-drain", description="Never ends")
    async def stuck(_: Anything, context: TaskContext) -> None:
        seen.append(context.attempt)
        started.set()
        if len(seen) == 1:
            await asyncio.sleep(3600)

    text = one_task("test-drain", "tde.test-drain", retries=3)
    await session.engine.deploy([Resource("test-drain.bpmn", text.encode())])
    async with work(stuck) as worker:
        await session.engine.create_instance("test-drain")
        await asyncio.wait_for(started.wait(), 20)
        await worker.drain(timedelta(milliseconds=100))
    assert worker.counts.handed_back == 1
    started.clear()
    async with work(stuck):
        await asyncio.wait_for(started.wait(), 20)  # at once, not after the lease of a minute
    assert seen == [1, 1]


async def test_cancelled_instance_cancels_its_handler(session: EngineSession, work: Work) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    @tde("test-cancel", description="Waits")
    async def wait(_: Anything) -> None:
        started.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    text = one_task("test-cancel", "tde.test-cancel")
    await session.engine.deploy([Resource("test-cancel.bpmn", text.encode())])
    async with work(wait, lease=timedelta(seconds=1)):
        instance = await session.engine.create_instance("test-cancel")
        await asyncio.wait_for(started.wait(), 20)
        await session.engine.cancel_instance(instance.key)
        await asyncio.wait_for(cancelled.wait(), 20)
