"""User files are prepared, deployed, remembered, and the heartbeat is woken."""

from datetime import UTC, datetime

import pytest

from procos.errors import EngineRejected, EngineUnavailable, StoreError, UsageError
from procos.kernel.deploying import deploy
from procos.kernel.resource_files import LARGEST_BYTES
from procos.model.definition import ProcessDefinition, TaskElement
from procos.model.deployment import Deployment, Resource
from procos.testing import FakeEngine
from procos.testing.memory_definitions import MemoryDefinitions
from tests.unit.kernel.drawn import process, typed

pytestmark = pytest.mark.anyio

FLOW = """<bpmn:startEvent id="start"><bpmn:outgoing>1</bpmn:outgoing></bpmn:startEvent>
<bpmn:sequenceFlow id="1" sourceRef="start" targetRef="task"/>
<bpmn:sequenceFlow id="2" sourceRef="task" targetRef="end"/>
<bpmn:endEvent id="end"><bpmn:incoming>2</bpmn:incoming></bpmn:endEvent>
"""


def order(task: str = '<bpmn:task id="task" name="Ask the customer"/>', process_id: str = "order") -> Resource:
    found = process(FLOW + task, process_id=process_id)
    return Resource(f"{process_id}.bpmn", found.content)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def store() -> MemoryDefinitions:
    return MemoryDefinitions()


async def test_a_task_with_only_a_name_makes_a_job_of_the_heartbeats_type(engine, store):
    deployed = await deploy(engine, store.record, [order()], deployed_by="ann")
    await engine.create_instance("order")

    assert [task.name for task in deployed.unclaimed] == ["Ask the customer"]
    (running,) = engine.instances
    assert running.active == ("task",)


async def test_what_is_remembered_is_what_was_deployed(engine, store):
    before = datetime.now(UTC)
    other = order(f'<bpmn:serviceTask id="task" name="Bill">{typed("bill")}</bpmn:serviceTask>', "bill")
    deployed = await deploy(engine, store.record, [order(), other], deployed_by="ann")

    first, second = [await store.get(it.key) for it in deployed.deployment.resources]
    assert isinstance(first, ProcessDefinition)
    assert (first.id, first.version, first.resource_name, first.deployed_by) == ("order", 1, "order.bpmn", "ann")
    assert first.elements == (TaskElement(element_id="task", name="Ask the customer", job_type="procos.task"),)
    assert b'type="procos.task"' in first.xml
    assert before <= first.deployed_at <= datetime.now(UTC)
    assert second is not None
    assert second.xml == other.content
    assert await store.job_types() == {"procos.task", "bill"}


async def test_the_heartbeat_is_woken_after_the_definitions_are_remembered(engine, store):
    known_when_woken = []
    publish = engine.publish_message

    async def publish_and_look(*arguments, **options):
        known_when_woken.append(len(store))
        return await publish(*arguments, **options)

    engine.publish_message = publish_and_look
    await deploy(engine, store.record, [order()], deployed_by="ann")

    (message,) = engine.messages
    assert (message.name, message.correlation_key, message.ttl.total_seconds()) == ("procos.pdo.wake", "procos-pdo", 0)
    assert known_when_woken == [1]


async def test_an_engine_that_is_gone_at_the_wake_leaves_the_deployment_as_it_is(engine, store):
    engine.refuse("publish_message", EngineUnavailable("gone"))

    deployed = await deploy(engine, store.record, [order()], deployed_by="ann")

    assert deployed.trouble is None
    assert len(store) == 1


async def test_a_store_that_is_away_undoes_nothing_and_is_told(engine, store):
    await store.close()

    deployed = await deploy(engine, store.record, [order()], deployed_by="ann")

    assert isinstance(deployed.trouble, StoreError)
    assert deployed.deployment.process_ids == ("order",)
    assert len(engine.messages) == 1


async def test_deploying_again_remembers_what_was_not_remembered(engine, store):
    away = MemoryDefinitions()
    await away.close()
    first = await deploy(engine, away.record, [order()], deployed_by="ann")

    second = await deploy(engine, store.record, [order()], deployed_by="ben")

    assert second.deployment.resources[0].key == first.deployment.resources[0].key
    assert await store.get(first.deployment.resources[0].key) is not None


async def test_what_the_engine_refuses_is_neither_remembered_nor_told_to_the_heartbeat(engine, store):
    with pytest.raises(EngineRejected):
        await deploy(engine, store.record, [order(), order("", "broken")], deployed_by="ann")

    assert len(store) == 0
    assert engine.messages == ()


async def test_a_file_without_processes_needs_no_store():
    async def remember(_):
        raise AssertionError("there is nothing to remember")

    class TakesAll(FakeEngine):
        async def deploy(self, resources):
            return Deployment(len(resources), ())

    deployed = await deploy(TakesAll(), remember, [Resource("a.dmn", b"<a/>")], deployed_by="ann")

    assert deployed.trouble is None


async def test_files_that_are_too_large_with_what_is_added_are_refused_beforehand(engine, store):
    padding = " " * (LARGEST_BYTES - len(order().content))
    large = order(f'{padding}<bpmn:task id="task" name="Ask the customer"/>')
    assert len(large.content) == LARGEST_BYTES

    with pytest.raises(UsageError, match="with the job types"):
        await deploy(engine, store.record, [large], deployed_by="ann")

    assert "deploy" not in engine.calls
