"""The port Engine: deploying, starting, waiting, cancelling."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from procos.errors import EngineError, EngineNotFound, EngineRejected, EngineTimeout
from procos.model.deployment import Resource
from procos.model.job import Completed
from tests.contract.conftest import Subject
from tests.contract.processes import boundary, flow, one_task, process, task

pytestmark = pytest.mark.anyio

START = '<bpmn:startEvent id="start"/>'
A_WHILE = timedelta(seconds=20)
VALUES: dict[str, Any] = {
    "text": 'Grüße, 世界 🚀 "quoted" \\ \n',
    "größe": 3,
    "big": 2**62,
    "negative": -1,
    "float": 0.1,
    "yes": True,
    "nothing": None,
    "list": [1, "two", [3.5], {}],
    "nested": {"a": {"b": [None, False]}, "empty": ""},
}


async def test_topology_has_a_version_and_is_ready(subject: Subject) -> None:
    topology = await subject.engine.topology()
    assert topology.is_ready
    assert topology.gateway_version == subject.kind.version


# deploy


async def test_a_deployment_lists_what_it_made(subject: Subject) -> None:
    one, two = subject.new_name(), subject.new_name()
    deployment = await subject.deploy(one_task(one, "t"), one_task(two, "t"))
    assert deployment.process_ids == (one, two)
    assert [(it.kind, it.version, it.resource_name) for it in deployment.resources] == [
        ("process", 1, "1.bpmn"), ("process", 1, "2.bpmn"),
    ]  # fmt: skip
    keys = {deployment.key, *(it.key for it in deployment.resources)}
    assert len(keys) == 3


async def test_an_unchanged_file_keeps_its_version_and_a_changed_one_gets_the_next(subject: Subject) -> None:
    name = subject.new_name()
    (first,) = (await subject.deploy(one_task(name, "t"))).resources
    (again,) = (await subject.deploy(one_task(name, "t"))).resources
    (changed,) = (await subject.deploy(one_task(name, "other"))).resources
    assert again == first
    assert (changed.version, changed.id) == (2, name)
    assert changed.key != first.key


async def test_the_same_content_under_another_name_is_a_new_version(subject: Subject) -> None:
    name = subject.new_name()
    text = one_task(name, "t").encode()
    await subject.engine.deploy([Resource("a.bpmn", text)])
    (other,) = (await subject.engine.deploy([Resource("b.bpmn", text)])).resources
    assert (other.version, other.resource_name) == (2, "b.bpmn")


async def test_going_back_to_an_old_text_is_a_new_version(subject: Subject) -> None:
    name = subject.new_name()
    for job_type in ("a", "b", "a"):
        (last,) = (await subject.deploy(one_task(name, job_type))).resources
    assert last.version == 3


async def test_deploying_nothing_is_refused(subject: Subject) -> None:
    with pytest.raises(EngineRejected, match="at least one resource"):
        await subject.engine.deploy([])


async def test_all_or_nothing_is_deployed(subject: Subject) -> None:
    good, bad = subject.new_name(), subject.new_name()
    with pytest.raises(EngineRejected) as refused:
        await subject.deploy(one_task(good, "t"), one_task(bad, ""))
    assert "'2.bpmn'" in refused.value.reason
    assert "'1.bpmn'" not in refused.value.reason
    with pytest.raises(EngineNotFound):
        await subject.engine.create_instance(good)


REFUSED = {
    "no type": (one_task("p", ""), ["Element: task", "ERROR"]),
    "an input that is no FEEL": (one_task("p", "t", inputs={"a": "= 1 +"}), ["Element: task", "parse", "1 +"]),
    "no start event": (process("p", '<bpmn:endEvent id="end"/>'), ["Element: p", "start event"]),
    "nothing executable": (one_task("p", "t").replace('"true"', '"false"'), ["executable"]),
    "a flow into nowhere": (process("p", START, flow("start", "nowhere")), ["nowhere"]),
    "a task without a definition": (
        process("p", START, '<bpmn:serviceTask id="bare"/>', flow("start", "bare")),
        ["Element: bare", "taskDefinition"],
    ),
    "an end event that goes on": (
        process(
            "p",
            START,
            '<bpmn:endEvent id="end"><bpmn:outgoing>end-end</bpmn:outgoing></bpmn:endEvent>',
            flow("start", "end"),
            flow("end", "end"),
        ),
        ["Element: end", "outgoing"],
    ),
    "two start events": (process("p", '<bpmn:startEvent id="a"/><bpmn:startEvent id="b"/>'), ["Element: p", "start"]),
    "a boundary event that leads nowhere": (
        process("p", START, task("task", "t"), boundary("caught", "task"), flow("start", "task")),
        ["Element: caught", "outgoing"],
    ),
    "broken XML": ("<bpmn:definitions", ["1.bpmn"]),
    "nothing": ("", ["1.bpmn"]),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_wrong_is_refused_with_the_file_and_the_element(subject: Subject, what: str) -> None:
    text, words = REFUSED[what]
    if what == "a boundary event that leads nowhere" and not subject.kind.asks_boundary_events_for_outgoing:
        assert (await subject.deploy(text)).resources
        return
    with pytest.raises(EngineRejected) as refused:
        await subject.deploy(text)
    for word in ["1.bpmn", *words]:
        assert word in refused.value.reason
    assert refused.value.reason in str(refused.value)


async def test_one_id_in_two_files_is_refused(subject: Subject) -> None:
    name = subject.new_name()
    with pytest.raises(EngineRejected, match=r"Duplicated process id in resources '1.bpmn' and '2.bpmn'"):
        await subject.deploy(one_task(name, "a"), one_task(name, "b"))


# create


async def test_the_newest_version_starts_unless_another_is_named(subject: Subject) -> None:
    name = subject.new_name()
    (first,) = (await subject.deploy(one_task(name, f"{name}-1"))).resources
    (second,) = (await subject.deploy(one_task(name, f"{name}-2"))).resources
    newest = await subject.engine.create_instance(name)
    oldest = await subject.engine.create_instance(name, version=1)
    assert (newest.process_definition_id, newest.process_definition_version) == (name, 2)
    assert newest.process_definition_key == second.key
    assert (oldest.process_definition_version, oldest.process_definition_key) == (1, first.key)
    assert newest.key != oldest.key
    assert (await subject.take(f"{name}-1")).process_instance_key == oldest.key
    assert (await subject.take(f"{name}-2")).process_instance_key == newest.key


async def test_an_unknown_process_is_not_found(subject: Subject) -> None:
    with pytest.raises(EngineNotFound, match="process ID 'contract-none', but none found"):
        await subject.engine.create_instance("contract-none")
    with pytest.raises(EngineNotFound, match="contract-none"):
        await subject.engine.create_instance_with_result("contract-none", timeout=A_WHILE)


async def test_an_unknown_version_is_not_found(subject: Subject) -> None:
    name = subject.new_name()
    await subject.deploy(one_task(name, "t"))
    with pytest.raises(EngineNotFound, match=f"process ID '{name}' and version '7', but none found"):
        await subject.engine.create_instance(name, version=7)


@pytest.mark.parametrize(("megabytes", "word"), [(5, "4194304"), (3, "EXCEEDED_BATCH_RECORD_SIZE")])
async def test_variables_that_are_too_large_are_refused(subject: Subject, megabytes: float, word: str) -> None:
    name = subject.new_name()
    await subject.deploy(one_task(name, "t"))
    with pytest.raises(EngineRejected, match=r"larger than the engine takes") as refused:
        await subject.engine.create_instance(name, variables={"text": "x" * (megabytes * 1024**2)})
    assert word in refused.value.reason


async def test_a_number_that_is_not_json_is_refused(subject: Subject) -> None:
    name = subject.new_name()
    await subject.deploy(one_task(name, "t"))
    with pytest.raises(EngineError) as refused:
        await subject.engine.create_instance(name, variables={"x": float("nan")})
    if subject.kind.says_why_json_is_wrong:
        assert isinstance(refused.value, EngineRejected)
        assert "JSON" in refused.value.reason


# with result


async def test_the_result_has_the_variables_of_the_instance_unharmed(subject: Subject) -> None:
    name = subject.new_name()
    await subject.deploy(process(name, '<bpmn:startEvent id="a"/><bpmn:endEvent id="b"/>', flow("a", "b")))
    result = await subject.engine.create_instance_with_result(name, variables=VALUES, timeout=A_WHILE)
    assert result.variables == VALUES
    assert result.instance.process_definition_id == name
    assert result.instance.key > 0


async def test_an_instance_without_variables_has_none(subject: Subject) -> None:
    name = subject.new_name()
    await subject.deploy(process(name, '<bpmn:startEvent id="a"/>'))
    result = await subject.engine.create_instance_with_result(name, timeout=A_WHILE)
    assert result.variables == {}


async def test_waiting_for_a_result_ends_and_the_instance_goes_on(subject: Subject) -> None:
    name = subject.new_name()
    await subject.deploy(one_task(name, name))
    waiting = asyncio.create_task(subject.engine.create_instance_with_result(name, timeout=timedelta(milliseconds=500)))
    if subject.kind.ends_waiting_for_results:
        with pytest.raises(EngineTimeout, match=name):
            await waiting
    else:
        await asyncio.sleep(1)
        assert not waiting.done()
        waiting.cancel()
    await subject.jobs.deliver(await subject.take(name), Completed())


# cancel


async def test_a_cancelled_instance_has_no_jobs_any_more(subject: Subject) -> None:
    name = subject.new_name()
    await subject.deploy(one_task(name, name))
    taken_of = await subject.engine.create_instance(name)
    taken = await subject.take(name)
    waiting_of = await subject.engine.create_instance(name)
    await subject.engine.cancel_instance(taken_of.key)
    await subject.engine.cancel_instance(waiting_of.key)
    assert await subject.free_jobs(name) == []
    with pytest.raises(EngineNotFound):
        await subject.jobs.deliver(taken, Completed())


async def test_an_instance_is_cancelled_once(subject: Subject) -> None:
    name = subject.new_name()
    await subject.deploy(one_task(name, name))
    instance = await subject.engine.create_instance(name)
    await subject.engine.cancel_instance(instance.key)
    with pytest.raises(EngineNotFound, match=f"'{instance.key}', but no such process was found"):
        await subject.engine.cancel_instance(instance.key)


async def test_what_is_no_instance_is_not_found(subject: Subject) -> None:
    name = subject.new_name()
    (definition,) = (await subject.deploy(one_task(name, name))).resources
    with pytest.raises(EngineNotFound, match=f"'{definition.key}', but no such process was found"):
        await subject.engine.cancel_instance(definition.key)


# Messages and decisions


async def test_a_published_message_is_taken(subject: Subject) -> None:
    name = subject.new_name()
    assert await subject.engine.publish_message(name, correlation_key="1", variables=VALUES)


async def test_a_message_id_is_taken_once_while_its_message_is_buffered(subject: Subject) -> None:
    name = subject.new_name()

    async def publish(message_id: str, key: str = "1") -> bool:
        return await subject.engine.publish_message(name, correlation_key=key, ttl=A_WHILE, message_id=message_id)

    assert await publish("a")
    assert not await publish("a")
    assert await publish("b")
    assert await publish("a", key="2")


async def test_a_message_that_is_not_buffered_may_be_published_again(subject: Subject) -> None:
    name = subject.new_name()
    for _ in range(2):
        assert await subject.engine.publish_message(name, correlation_key="1", message_id="a")


async def test_a_message_that_is_too_large_is_refused(subject: Subject) -> None:
    with pytest.raises(EngineRejected, match="larger than the engine takes"):
        await subject.engine.publish_message(
            subject.new_name(), correlation_key="1", variables={"large": "x" * 5 * 1024**2}
        )


async def test_a_decision_that_nobody_deployed_is_not_found(subject: Subject) -> None:
    with pytest.raises(EngineNotFound, match="no such decision"):
        await subject.engine.evaluate_decision(subject.new_name(), variables={"a": 1})
