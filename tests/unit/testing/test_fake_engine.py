"""FakeEngine beyond the ports: what a test sees and does. The ports are in tests/contract/."""

import asyncio
from datetime import timedelta

import pytest
from pydantic import BaseModel

from procos.errors import (
    EngineError,
    EngineNotFound,
    EngineOverloaded,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
)
from procos.model.deployment import Resource
from procos.model.job import Completed, ErrorThrown, Failed
from procos.ports.engine import Engine
from procos.ports.jobs import JobSource
from procos.sdk import RetryLater, tde
from procos.testing import FakeEngine, ManualClock, workers
from tests.contract.processes import flow, mapping, one_task, process, task

pytestmark = pytest.mark.anyio

LEASE = timedelta(seconds=60)
MOMENT = timedelta(milliseconds=50)


class In(BaseModel):
    name: str = "Ada"


class Out(BaseModel):
    text: str


@tde("greet", description="Greets")
def greet(data: In) -> Out:
    return Out(text=f"Hello {data.name}")


async def deploy(engine: FakeEngine, *texts: str) -> None:
    await engine.deploy([Resource(f"{number}.bpmn", text.encode()) for number, text in enumerate(texts)])


def test_it_is_both_ports() -> None:
    engine: Engine = FakeEngine()
    jobs: JobSource = FakeEngine()
    assert engine.address
    assert jobs


# what a test sees


async def test_an_instance_shows_where_it_is_and_where_it_was() -> None:
    engine = FakeEngine()
    await deploy(engine, one_task("p", "t"))
    key = (await engine.create_instance("p", variables={"a": 1})).key
    seen = engine.instance(key)
    assert (seen.status, seen.passed, seen.active, seen.variables) == ("active", ("start",), ("task",), {"a": 1})
    (job,) = await engine.activate("t", worker="w", max_jobs=1, lease=LEASE)
    await engine.deliver(job, Completed({"b": 2}))
    seen = engine.instance(key)
    assert (seen.status, seen.passed, seen.active) == ("completed", ("start", "task", "end"), ())
    assert seen.variables == {"a": 1, "b": 2}
    assert engine.instances == (seen,)


async def test_what_a_test_changes_in_what_it_sees_changes_nothing_in_the_engine() -> None:
    engine = FakeEngine()
    await deploy(engine, one_task("p", "t"))
    given = {"a": {"b": 1}}
    key = (await engine.create_instance("p", variables=given)).key
    (job,) = await engine.activate("t", worker="w", max_jobs=1, lease=LEASE)
    for variables in (given, job.variables, engine.instance(key).variables):
        variables["a"]["b"] = 2
    assert engine.instance(key).variables == {"a": {"b": 1}}


async def test_an_unknown_instance_or_job_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        FakeEngine().instance(1)
    with pytest.raises(KeyError):
        FakeEngine().retries_of(1)


async def test_a_job_without_retries_is_an_incident_with_its_message() -> None:
    engine = FakeEngine()
    key = engine.add_job("t")
    (job,) = await engine.activate("t", worker="w", max_jobs=1, lease=LEASE)
    await engine.deliver(job, Failed("the shelf is empty", retries=0))
    (incident,) = engine.incidents
    assert (incident.type, incident.message) == ("JOB_NO_RETRIES", "the shelf is empty")
    assert (incident.element_id, incident.job_key) == ("task", key)
    assert engine.instance(incident.process_instance_key).incidents == (incident,)
    await engine.cancel_instance(incident.process_instance_key)
    assert engine.incidents == ()


async def test_an_error_that_nobody_catches_is_an_incident() -> None:
    engine = FakeEngine()
    engine.add_job("t")
    (job,) = await engine.activate("t", worker="w", max_jobs=1, lease=LEASE)
    await engine.deliver(job, ErrorThrown("CODE", "why"))
    assert engine.incidents[0].type == "UNHANDLED_ERROR_EVENT"
    assert "code 'CODE' with message 'why'" in engine.incidents[0].message


@pytest.mark.parametrize(
    ("condition", "kind", "words"),
    [
        ("=a", "EXTRACT_VALUE_ERROR", "'a' to be 'BOOLEAN', but was 'NULL'"),
        ("=false", "CONDITION_ERROR", "default flow"),
    ],
)
async def test_a_gateway_without_a_way_is_an_incident(condition: str, kind: str, words: str) -> None:
    engine = FakeEngine()
    gateway = '<bpmn:startEvent id="start"/><bpmn:exclusiveGateway id="which"/>'
    await deploy(
        engine,
        process("p", gateway, task("a", "t"), flow("start", "which"), flow("which", "a", condition)),
    )
    await engine.create_instance("p")
    assert (engine.incidents[0].type, engine.incidents[0].element_id) == (kind, "which")
    assert words in engine.incidents[0].message


async def test_a_call_to_a_process_that_is_not_there_is_an_incident() -> None:
    engine = FakeEngine()
    call = '<bpmn:callActivity id="call"><bpmn:extensionElements><zeebe:calledElement processId="nobody"/>'
    body = ['<bpmn:startEvent id="start"/>', f"{call}</bpmn:extensionElements></bpmn:callActivity>"]
    await deploy(engine, process("p", *body, flow("start", "call")))
    await engine.create_instance("p")
    assert engine.incidents[0].type == "CALLED_ELEMENT_ERROR"
    assert "'nobody'" in engine.incidents[0].message


@pytest.mark.parametrize(("job_type", "retries"), [("=missing", "3"), ("t", "=missing")])
async def test_a_job_type_or_retries_that_are_null_are_an_incident(job_type: str, retries: str) -> None:
    engine = FakeEngine()
    body = ['<bpmn:startEvent id="start"/>', task("task", job_type, retries=retries), flow("start", "task")]
    await deploy(engine, process("p", *body))
    await engine.create_instance("p")
    assert "'missing'" in engine.incidents[0].message


async def test_a_process_that_goes_in_circles_is_stopped() -> None:
    engine = FakeEngine()
    body = ['<bpmn:startEvent id="start"/>', '<bpmn:task id="round"/>', flow("start", "round"), flow("round", "round")]
    await deploy(engine, process("p", *body))
    with pytest.raises(EngineError, match="goes in circles"):
        await engine.create_instance("p")


async def test_until_says_what_there_is_instead() -> None:
    engine = FakeEngine()
    engine.add_job("t")
    with pytest.raises(TimeoutError, match=r"did not come about within 0.05 s; delivered: \[\]"):
        await engine.until(lambda: engine.outcomes, longest=MOMENT)


async def test_variables_of_added_jobs_are_json() -> None:
    engine = FakeEngine()
    engine.add_job("t", {"a": (1, 2)}, headers={"h": "1"}, retries=7)
    (job,) = await engine.activate("t", worker="w", max_jobs=1, lease=LEASE)
    assert (job.variables, job.custom_headers, job.retries) == ({"a": [1, 2]}, {"h": "1"}, 7)
    assert (job.element_id, job.process_definition_id, job.process_definition_version) == ("task", "t", 1)
    with pytest.raises(EngineRejected):
        engine.add_job("t", {"a": float("nan")})
    with pytest.raises(ValueError, match="at least one retry"):
        engine.add_job("t", retries=0)


# time


async def test_with_a_clock_of_its_own_time_stands_still() -> None:
    clock = ManualClock()
    engine = FakeEngine(clock=clock)
    engine.add_job("t")
    (job,) = await engine.activate("t", worker="w", max_jobs=1, lease=LEASE)
    assert job.deadline == clock.now() + LEASE
    clock.advance(LEASE - MOMENT)
    assert await engine.activate("t", worker="w", max_jobs=1, lease=LEASE) == []
    clock.advance(MOMENT)
    assert await engine.activate("t", worker="w", max_jobs=1, lease=LEASE) != []
    assert engine.activations == [job.key, job.key]


async def test_a_waiting_request_hears_of_moved_time() -> None:
    clock = ManualClock()
    engine = FakeEngine(clock=clock)
    engine.add_job("t")
    await engine.activate("t", worker="w", max_jobs=1, lease=LEASE)
    waiting = asyncio.create_task(engine.activate("t", worker="x", max_jobs=1, lease=LEASE, wait=LEASE))
    await asyncio.sleep(0)
    clock.advance(LEASE)
    async with asyncio.timeout(5):
        assert [job.worker for job in await waiting] == ["x"]


async def test_with_the_machines_clock_a_waiting_request_sees_a_lease_end() -> None:
    engine = FakeEngine()
    engine.add_job("t")
    await engine.activate("t", worker="w", max_jobs=1, lease=MOMENT)
    async with asyncio.timeout(5):
        assert await engine.activate("t", worker="x", max_jobs=1, lease=LEASE, wait=LEASE) != []


def test_time_goes_forward_only() -> None:
    with pytest.raises(ValueError, match="forward"):
        ManualClock().advance(-MOMENT)


# faults


async def test_a_refused_call_does_nothing() -> None:
    engine = FakeEngine()
    engine.add_job("t")
    (job,) = await engine.activate("t", worker="w", max_jobs=1, lease=LEASE)
    engine.refuse("deliver", EngineOverloaded("busy"), times=2)
    for _ in range(2):
        with pytest.raises(EngineOverloaded):
            await engine.deliver(job, Completed())
    assert engine.outcomes == []
    await engine.deliver(job, Completed())
    assert engine.outcomes == [(job.key, Completed())]


async def test_a_lost_answer_comes_after_the_work() -> None:
    engine = FakeEngine()
    engine.add_job("t")
    (job,) = await engine.activate("t", worker="w", max_jobs=1, lease=LEASE)
    engine.lose_answer("deliver", EngineTimeout("?"))
    with pytest.raises(EngineTimeout):
        await engine.deliver(job, Completed())
    with pytest.raises(EngineNotFound):
        await engine.deliver(job, Completed())


async def test_an_engine_that_is_away_answers_nobody_and_forgets_nothing() -> None:
    engine = FakeEngine()
    engine.add_job("t")
    waiting = asyncio.create_task(engine.activate("other", worker="w", max_jobs=1, lease=LEASE, wait=LEASE))
    stream = engine.stream("t", worker="w", lease=LEASE)
    reading = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    engine.go_away()
    for cut in (waiting, reading):
        with pytest.raises(EngineUnavailable):
            await cut
    for call in (engine.topology(), engine.deploy([]), engine.create_instance("p"), engine.cancel_instance(1)):
        with pytest.raises(EngineUnavailable):
            await call
    engine.come_back()
    assert len(await engine.activate("t", worker="w", max_jobs=1, lease=LEASE)) == 1
    assert engine.calls[-1] == "activate"


# with workers


async def test_the_products_workers_run_on_it() -> None:
    engine = FakeEngine()
    text = mapping(outputs={"said": "=text"})
    body = ['<bpmn:startEvent id="start"/>', task("task", "tde.greet", text), flow("start", "task")]
    await deploy(engine, process("p", *body))
    async with workers(engine, greet):
        result = await engine.create_instance_with_result(
            "p", variables={"name": "Grüße"}, timeout=timedelta(seconds=10)
        )
    assert result.variables == {"name": "Grüße", "said": "Hello Grüße"}


async def test_a_workers_backoff_is_moved_and_not_waited_for() -> None:
    clock = ManualClock()
    engine = FakeEngine(clock=clock)
    attempts: list[str] = []

    @tde("later", description="Works at its second attempt")
    async def later(data: In) -> Out:
        attempts.append(data.name)
        if len(attempts) == 1:
            raise RetryLater("not now", after=timedelta(hours=1))
        return Out(text="now")

    key = engine.add_job("tde.later")
    async with workers(engine, later):
        await engine.until(lambda: engine.outcomes)
        assert engine.retries_of(key) == 2
        clock.advance(timedelta(hours=1))
        await engine.until(lambda: engine.outcomes[1:])
    assert engine.outcomes[1] == (key, Completed({"text": "now"}))


async def test_at_the_end_workers_hand_back_what_they_hold() -> None:
    engine = FakeEngine()

    @tde("stuck", description="Never ends")
    async def stuck(_: In) -> None:
        await asyncio.Event().wait()

    key = engine.add_job("tde.stuck", retries=5)
    async with workers(engine, stuck):
        await engine.until(lambda: engine.activations)
    assert engine.retries_of(key) == 5
    assert len(await engine.activate("tde.stuck", worker="w", max_jobs=1, lease=LEASE)) == 1
