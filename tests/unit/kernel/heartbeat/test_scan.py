"""A scan finds what nobody claims, hands it over, and leaves the rest to others."""

import asyncio
from datetime import timedelta

import pytest

from procos.errors import EngineOverloaded, EngineRejected, EngineUnavailable
from procos.model.job import Failed
from tests.unit.kernel.heartbeat.parts import Parts

pytestmark = pytest.mark.anyio


async def test_every_unnamed_task_is_handed_over_once():
    parts = Parts()
    keys = [parts.engine.add_job("procos.task", {"n": number}) for number in range(3)]
    scan = await parts.scanner.scan()
    assert (scan.found, scan.handed_over, scan.is_full) == (3, 3, False)
    assert sorted(parts.handed_over()) == keys
    assert (await parts.scanner.scan()).found == 0


async def test_the_message_carries_the_tag_and_is_not_buffered():
    parts = Parts()
    key = parts.engine.add_job("procos.task", {"amount": 3, "correlationId": "c-1"}, headers={"tde": "http"})
    await parts.scanner.scan()
    (message,) = parts.engine.messages
    assert (message.name, message.ttl, message.message_id) == ("procos.task.detected", timedelta(0), "")
    task = message.variables["procosTask"]
    assert (task["job_key"], task["headers"], task["inputs"]["amount"]) == (key, {"tde": "http"}, 3)
    assert message.variables["correlationId"] == "c-1"
    assert message.variables["procosRenewEvery"] == "PT20S"


async def test_a_full_batch_says_that_there_may_be_more():
    parts = Parts(batch=2)
    for _ in range(3):
        parts.engine.add_job("procos.task")
    assert (await parts.scanner.scan()).is_full
    assert not (await parts.scanner.scan()).is_full


async def test_a_foreign_type_is_left_alone_for_the_grace_period():
    parts = Parts()
    await parts.knows("send-invoice")
    key = parts.engine.add_job("send-invoice", retries=2)
    first = await parts.scanner.scan()
    assert (first.found, first.again_in) == (0, timedelta(seconds=5))
    assert parts.engine.retries_of(key) == 2
    parts.seconds = 4.9
    assert (await parts.scanner.scan()).found == 0
    parts.seconds = 5.0
    assert (await parts.scanner.scan()).handed_over == 1
    assert parts.handed_over() == [key]


async def test_while_nobody_looks_a_foreign_worker_finds_its_job():
    parts = Parts()
    await parts.knows("send-invoice")
    key = parts.engine.add_job("send-invoice")
    await parts.scanner.scan()
    (taken,) = await parts.engine.activate("send-invoice", worker="other", max_jobs=1, lease=timedelta(minutes=1))
    parts.seconds = 5.0
    assert (await parts.scanner.scan()).found == 0
    assert taken.key == key


async def test_a_job_that_came_later_waits_for_its_own_grace_period():
    parts = Parts()
    await parts.knows("send-invoice")
    first = parts.engine.add_job("send-invoice")
    await parts.scanner.scan()
    parts.seconds = 5.0
    second = parts.engine.add_job("send-invoice")
    await parts.scanner.scan()
    assert parts.handed_over() == [first]
    parts.seconds = 10.0
    await parts.scanner.scan()
    assert parts.handed_over() == [first, second]


@pytest.mark.parametrize("job_type", ["io.camunda.zeebe:userTask", "procos.pdo.scan", "mine", "not-for-us"])
async def test_what_others_have_workers_for_is_never_looked_at(job_type: str):
    parts = Parts(exclude=("not-*",))
    parts.registered = {"mine"}
    await parts.knows(job_type)
    parts.engine.add_job(job_type)
    await parts.scanner.scan()
    assert parts.engine.activations == []


async def test_only_included_types_are_looked_at():
    parts = Parts(include=("ours.*",))
    await parts.knows("ours.a", "theirs.a")
    ours = parts.engine.add_job("ours.a")
    parts.engine.add_job("theirs.a")
    await parts.scanner.scan()
    assert parts.engine.activations == [ours]


async def test_backpressure_is_waited_out():
    parts = Parts()
    key = parts.engine.add_job("procos.task")
    parts.engine.refuse("publish_message", EngineOverloaded("slow down"), times=3)
    assert (await parts.scanner.scan()).handed_over == 1
    assert parts.handed_over() == [key]


async def test_what_could_not_be_handed_over_before_its_lease_is_over_is_found_again(caplog: pytest.LogCaptureFixture):
    parts = Parts(hand_over_lease=timedelta(seconds=2.2))
    parts.engine.add_job("procos.task")
    parts.engine.refuse("publish_message", EngineUnavailable("gone"), times=1000)
    scan = await parts.scanner.scan()
    assert (scan.found, scan.handed_over) == (1, 0)
    assert "left for a later scan" in caplog.text
    parts.engine.refuse("publish_message", EngineUnavailable("gone"), times=0)


async def test_a_task_that_no_message_can_carry_becomes_an_incident_that_says_why():
    parts = Parts()
    key = parts.engine.add_job("procos.task")
    parts.engine.refuse("publish_message", EngineRejected("larger than 4 MiB", reason="size"))
    assert (await parts.scanner.scan()).handed_over == 0
    (incident,) = parts.engine.incidents
    assert "larger than 4 MiB" in incident.message
    assert parts.engine.retries_of(key) == 0


async def test_a_task_whose_parent_ended_meanwhile_is_no_trouble():
    parts = Parts()
    parts.engine.add_job("procos.task")
    (instance,) = parts.engine.instances
    parts.engine.refuse("publish_message", EngineRejected("no", reason="no"))
    scanning = asyncio.create_task(parts.scanner.scan())
    await parts.engine.cancel_instance(instance.key)
    assert (await scanning).handed_over == 0


async def test_retries_stay_as_they_were_when_a_job_is_given_back():
    parts = Parts()
    await parts.knows("send-invoice")
    key = parts.engine.add_job("send-invoice", retries=1)
    await parts.scanner.scan()
    assert [(of, type(outcome)) for of, outcome in parts.engine.outcomes] == [(key, Failed)]
    assert (parts.engine.retries_of(key), parts.engine.incidents) == (1, ())
