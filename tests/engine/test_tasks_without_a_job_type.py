"""Files with tasks that have only a name, deployed to the real engine as a person does it."""

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from procos.kernel.home import Home
from procos.kernel.resource_files import read_resources
from procos.kernel.task_elements import read_processes
from procos.kernel.unclaimed import prepare
from procos.model.record import Record
from procos.wiring.deploying import deploy
from procos.wiring.engines import EngineSession
from procos.wiring.stores import open_state_database
from tests.engine.conftest import Procos

pytestmark = [pytest.mark.engine, pytest.mark.anyio]

DRAWN = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
                  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"{zeebe}
                  id="definitions" targetNamespace="tests">
  <!-- as it comes from a whiteboard -->
  <bpmn:collaboration id="collaboration">
    <bpmn:participant id="pool" name="The shop" processRef="{id}"/>
  </bpmn:collaboration>
  <bpmn:process id="{id}" isExecutable="true">
    <bpmn:laneSet id="lanes"><bpmn:lane id="lane" name="Back office">
      <bpmn:flowNodeRef>{first}</bpmn:flowNodeRef></bpmn:lane></bpmn:laneSet>
    <bpmn:startEvent id="start"><bpmn:outgoing>f0</bpmn:outgoing></bpmn:startEvent>
    <bpmn:sequenceFlow id="f0" sourceRef="start" targetRef="fork"/>
    <bpmn:parallelGateway id="fork"><bpmn:incoming>f0</bpmn:incoming>{outgoing}</bpmn:parallelGateway>
{flows}
{tasks}
  </bpmn:process>
</bpmn:definitions>
"""
ZEEBE = '\n                  xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"'


def drawn(process_id: str, tasks: dict[str, str], *, zeebe: str = ZEEBE) -> str:
    """A process that does all of `tasks` (by their ids) at once."""
    return DRAWN.format(
        id=process_id,
        zeebe=zeebe,
        first=next(iter(tasks)),
        outgoing="".join(f"<bpmn:outgoing>f-{name}</bpmn:outgoing>" for name in tasks),
        flows="\n".join(f'<bpmn:sequenceFlow id="f-{name}" sourceRef="fork" targetRef="{name}"/>' for name in tasks),
        tasks="\n".join(tasks.values()),
    )


def task(kind: str, element_id: str, inside: str = "") -> str:
    incoming = f"<bpmn:incoming>f-{element_id}</bpmn:incoming>"
    name = f"Do {element_id}"
    return f'<bpmn:{kind} id="{element_id}" name="{name}">{inside.replace("@", incoming)}</bpmn:{kind}>'


def extended(inside: str) -> str:
    return f"<bpmn:extensionElements>{inside}</bpmn:extensionElements>"


def typed(job_type: str) -> str:
    return extended(f'<zeebe:taskDefinition type="{job_type}"/>')


def claim(value: str) -> str:
    return extended(f'<zeebe:properties><zeebe:property name="procos.claim" value="{value}"/></zeebe:properties>')


async def jobs_of(session: EngineSession, process_id: str, count: int) -> list[Record]:
    """The first jobs of a new instance, which is cancelled then."""
    assert session.records is not None
    tail = session.records.tail()
    instance = await session.engine.create_instance(process_id)
    found: list[Record] = []
    async with asyncio.timeout(30):
        async for record in tail.of_instance(instance.key):
            assert record.value_type != "INCIDENT", record.value
            if (record.record_type, record.value_type, record.intent) == ("EVENT", "JOB", "CREATED"):
                found.append(record)
            if len(found) == count:
                break
    with contextlib.suppress(Exception):
        await session.engine.cancel_instance(instance.key)
    return found


def types_of(records: list[Record]) -> dict[str, str]:
    return {str(record.value["elementId"]): str(record.value["type"]) for record in records}


async def test_each_kind_of_task_with_only_a_name_makes_a_job_that_the_heartbeat_finds(
    shared: Procos, session: EngineSession, tmp_path: Path
) -> None:
    items = extended('<zeebe:loopCharacteristics inputCollection="=[1]"/>')
    loop = f"@<bpmn:multiInstanceLoopCharacteristics>{items}</bpmn:multiInstanceLoopCharacteristics>"
    retries = extended('<zeebe:taskDefinition retries="5"/>') + "@"
    mapped = extended('<zeebe:ioMapping><zeebe:input source="=1" target="x"/></zeebe:ioMapping>')
    noted = f"<bpmn:documentation>How to do it</bpmn:documentation>{mapped}@"
    scope = '<bpmn:startEvent id="in"><bpmn:outgoing>g</bpmn:outgoing></bpmn:startEvent>'
    scope += '<bpmn:sequenceFlow id="g" sourceRef="in" targetRef="nested"/><bpmn:task id="nested" name="Do nested">'
    scope += "<bpmn:incoming>g</bpmn:incoming></bpmn:task>"
    tasks = {
        "plain": task("task", "plain", "@"),
        "noted": task("task", "noted", noted),
        "service": task("serviceTask", "service", "@"),
        "send": task("sendTask", "send", retries),
        "script": task("scriptTask", "script", "@"),
        "rule": task("businessRuleTask", "rule", "@"),
        "many": task("task", "many", loop),
        "scope": task("subProcess", "scope", "@" + scope),
    }
    file = tmp_path / "whiteboard.bpmn"
    file.write_text(drawn("whiteboard", tasks))

    done = shared("deploy", file, "--json")

    assert "8 tasks have no job type: ProcOS will find who does them (Do plain, Do noted, Do service" in done.stderr
    assert len(json.loads(done.stdout)["unclaimed"]) == 8
    jobs = await jobs_of(session, "whiteboard", 8)
    expected = {"plain", "noted", "service", "send", "script", "rule", "many", "nested"}
    assert types_of(jobs) == dict.fromkeys(expected, "procos.task")
    assert next(job.value["retries"] for job in jobs if job.value["elementId"] == "send") == 5


async def test_a_file_without_zeebes_namespace_and_in_another_encoding(
    shared: Procos, session: EngineSession, tmp_path: Path
) -> None:
    file = tmp_path / "other-tool.bpmn"
    text = drawn("other-tool", {"a": task("task", "a", "@")}, zeebe="").replace("Do a", "Größe prüfen")
    file.write_bytes(text.replace("UTF-8", "ISO-8859-1").encode("latin-1"))

    done = shared("run", file)

    assert "1 task has no job type: ProcOS will find who does it (Größe prüfen)" in done.stderr
    assert types_of(await jobs_of(session, "other-tool", 1)) == {"a": "procos.task"}


async def test_the_listed_elements_are_those_for_which_the_engine_makes_jobs(
    session: EngineSession, shared: Procos, tmp_path: Path
) -> None:
    message = f'{typed("tell")}@<bpmn:messageEventDefinition id="m-{{0}}"/>'
    script = extended('<zeebe:script expression="=1" resultVariable="r"/>') + "@"
    tasks = {
        "mine": task("serviceTask", "mine", typed("mine") + "@"),
        "named": task("sendTask", "named", typed("=&quot;worked-&quot; + &quot;out&quot;") + "@"),
        "thrown": task("intermediateThrowEvent", "thrown", message.format("1")),
        "ended": task("endEvent", "ended", message.format("2")),
        "asked": task("userTask", "asked", "@"),
        "by-hand": task("manualTask", "by-hand", "@"),
        "counted": task("scriptTask", "counted", script),
        "left": task("task", "left", claim("no") + "@"),
    }
    file = tmp_path / "kinds.bpmn"
    file.write_text(drawn("kinds", tasks))

    done = shared("deploy", file)

    assert done.stderr == ""
    (process,) = read_processes(prepare(read_resources([file])[0]).resource)
    found = types_of(await jobs_of(session, "kinds", len(process.elements)))
    assert {it.element_id: it.job_type or "worked-out" for it in process.elements} == found
    assert set(found) == {"mine", "named", "thrown", "ended", "asked"}


async def test_what_was_deployed_is_in_the_state_database_of_the_home(
    shared: Procos, session: EngineSession, tmp_path: Path
) -> None:
    from procos.adapters.state.definition_store import SqlDefinitionStore

    file = tmp_path / "remembered.bpmn"
    file.write_text(drawn("remembered", {"plain": task("task", "plain", "@")}))
    key = json.loads(shared("deploy", file, "--json").stdout)["resources"][0]["key"]
    again = await deploy(shared.settings, session, read_resources([file]), deployed_by="again")

    database = await asyncio.to_thread(open_state_database, shared.settings, Home(shared.home))
    store = SqlDefinitionStore(database, engine_id=session.engine_id)
    definition = await store.get(key)
    types = await store.job_types()
    await store.close()
    database.close()

    assert again.deployment.resources[0].key == key
    assert definition is not None
    assert (definition.id, definition.name, definition.version) == ("remembered", "The shop", 1)
    (element,) = definition.elements
    assert (element.name, element.lane, element.job_type) == ("Do plain", "Back office", "procos.task")
    assert b"<!-- as it comes from a whiteboard -->" in definition.xml
    assert definition.deployed_by not in {"", "again"}
    assert "procos.task" in types


def test_a_store_that_is_away_leaves_the_deployment_and_is_told(shared: Procos, tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_text("this is no database")
    file = tmp_path / "forgotten.bpmn"
    file.write_text(drawn("forgotten", {"plain": task("task", "plain", "@")}))

    done = shared.with_environment(PROCOS_DATABASE_URL=f"sqlite:///{broken}")("deploy", file)

    assert "forgotten" in done.stdout
    assert "deployed, but not remembered: cannot open the state database" in done.stderr
    assert "this file is not an SQLite database" in done.stderr
    assert "until these files are deployed again, their tasks are routed without name" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_opt_out_that_cannot_be_read_is_a_mistake_of_use(shared: Procos, tmp_path: Path) -> None:
    file = tmp_path / "maybe.bpmn"
    text = drawn("maybe", {"plain": task("task", "plain", claim("maybe") + "@")})
    file.write_text(text)

    done = shared("deploy", file, check=False)

    line = text[: text.index("procos.claim")].count("\n") + 1
    assert done.returncode == 2
    assert f"maybe.bpmn, line {line}: the property procos.claim of 'Do plain' is 'maybe'" in done.stderr
