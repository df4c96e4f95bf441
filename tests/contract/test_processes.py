"""What a process does between its jobs: variables, gateways, errors, calls, FEEL. The part that FakeEngine runs."""

from datetime import timedelta
from typing import Any

import pytest

from procos.errors import EngineNotFound, EngineRejected
from procos.model.job import Completed, ErrorThrown
from tests.contract.conftest import Subject
from tests.contract.processes import boundary, call, flow, mapping, one_task, process, task

pytestmark = pytest.mark.anyio

A_WHILE = timedelta(seconds=20)
START = '<bpmn:startEvent id="start"/>'
END = '<bpmn:endEvent id="end"/>'


async def left_after(
    subject: Subject, text: str, name: str, variables: dict[str, Any], result: dict[str, Any]
) -> dict[str, Any]:
    """The variables that a second task sees, when the first, of type NAME-1, was completed with `result`."""
    await subject.deploy(text)
    await subject.engine.create_instance(name, variables=variables)
    await subject.jobs.deliver(await subject.take(f"{name}-1"), Completed(result))
    return dict((await subject.take(f"{name}-2")).variables)


def two_tasks(name: str, *extensions: str) -> str:
    body = [START, task("one", f"{name}-1", *extensions), task("two", f"{name}-2"), END]
    return process(name, *body, flow("start", "one"), flow("one", "two"), flow("two", "end"))


# variables


async def test_without_output_mappings_a_result_becomes_process_variables(subject: Subject) -> None:
    name = subject.new_name()
    left = await left_after(subject, two_tasks(name), name, {"a": 1, "b": 1}, {"b": {"new": True}, "c": None})
    assert left == {"a": 1, "b": {"new": True}, "c": None}


async def test_inputs_are_local_and_a_result_of_their_name_stays_local(subject: Subject) -> None:
    name = subject.new_name()
    text = two_tasks(name, mapping(inputs={"a": "=a + 1", "twice": "=a * 2", "plain": "text", "number": "12"}))
    await subject.deploy(text)
    await subject.engine.create_instance(name, variables={"a": 1})
    job = await subject.take(f"{name}-1")
    assert job.variables == {"a": 2, "twice": 4, "plain": "text", "number": "12"}
    await subject.jobs.deliver(job, Completed({"a": 9, "new": 1}))
    assert (await subject.take(f"{name}-2")).variables == {"a": 1, "new": 1}


async def test_with_output_mappings_only_what_is_mapped_leaves_the_task(subject: Subject) -> None:
    name = subject.new_name()
    text = two_tasks(name, mapping(outputs={"kept": "=result.a", "b": "=b"}))
    left = await left_after(subject, text, name, {"x": 1}, {"result": {"a": 1}, "b": 2, "c": 3})
    assert left == {"x": 1, "kept": 1, "b": 2}


async def test_a_path_as_target_makes_contexts_and_leaves_other_parts(subject: Subject) -> None:
    name = subject.new_name()
    text = two_tasks(name, mapping(inputs={"order.id": "=1", "order.by.name": "=who"}, outputs={"all.new": "=x"}))
    await subject.deploy(text)
    await subject.engine.create_instance(name, variables={"who": "Ada", "all": {"old": 1}, "order": {"gone": 1}})
    job = await subject.take(f"{name}-1")
    assert job.variables["order"] == {"id": 1, "by": {"name": "Ada"}}
    await subject.jobs.deliver(job, Completed({"x": 2}))
    assert (await subject.take(f"{name}-2")).variables["all"] == {"old": 1, "new": 2}


async def test_what_is_missing_is_null(subject: Subject) -> None:
    name = subject.new_name()
    await subject.deploy(two_tasks(name, mapping(inputs={"a": "=missing", "b": "=missing.deeper"})))
    await subject.engine.create_instance(name)
    assert (await subject.take(f"{name}-1")).variables == {"a": None, "b": None}


# gateways


@pytest.mark.parametrize(
    ("variables", "way"),
    [({"amount": 5}, "low"), ({"amount": 500, "kind": "order"}, "high"), ({"amount": 50}, "other"),
     ({"amount": 500, "kind": "gift"}, "other")],
)  # fmt: skip
async def test_an_exclusive_gateway_takes_the_first_flow_that_holds(
    subject: Subject, variables: dict[str, Any], way: str
) -> None:
    name = subject.new_name()
    tasks = [task(end, f"{name}-{end}") for end in ("low", "high", "other")]
    flows = [
        flow("start", "which"),
        flow("which", "low", "=amount < 10", "to-low"),
        flow("which", "high", '=amount >= 100 and kind != "gift"', "to-high"),
        flow("which", "other", flow_id="to-other"),
    ]
    await subject.deploy(process(name, START, '<bpmn:exclusiveGateway id="which" default="to-other"/>', *tasks, *flows))
    await subject.engine.create_instance(name, variables=variables)
    assert (await subject.take(f"{name}-{way}")).element_id == way


async def test_a_condition_that_is_neither_true_nor_false_stops_the_instance(subject: Subject) -> None:
    name = subject.new_name()
    await subject.deploy(
        process(
            name, START, '<bpmn:exclusiveGateway id="which" default="to-other"/>',
            task("low", name), task("other", name),
            flow("start", "which"), flow("which", "low", "=amount < 10"), flow("which", "other", flow_id="to-other"),
        )
    )  # fmt: skip
    instance = await subject.engine.create_instance(name, variables={"amount": "much"})
    assert await subject.jobs.activate(name, worker="w", max_jobs=1, lease=A_WHILE, wait=timedelta(seconds=1)) == []
    await subject.engine.cancel_instance(instance.key)  # it was waiting


async def test_a_parallel_gateway_waits_for_all_its_branches(subject: Subject) -> None:
    name = subject.new_name()
    await subject.deploy(
        process(
            name, START, '<bpmn:parallelGateway id="fork"/>', task("a", f"{name}-a"), task("b", f"{name}-b"),
            '<bpmn:parallelGateway id="join"/>', task("after", f"{name}-after"),
            flow("start", "fork"), flow("fork", "a"), flow("fork", "b"), flow("a", "join"), flow("b", "join"),
            flow("join", "after"),
        )
    )  # fmt: skip
    await subject.engine.create_instance(name)
    a, b = await subject.take(f"{name}-a"), await subject.take(f"{name}-b")
    await subject.jobs.deliver(a, Completed({"a": 1}))
    assert await subject.free_jobs(f"{name}-after") == []
    await subject.jobs.deliver(b, Completed({"b": 2}))
    assert (await subject.take(f"{name}-after")).variables == {"a": 1, "b": 2}


# errors


def catching(name: str) -> str:
    return process(
        name, START, task("work", f"{name}-work"), boundary("known", "work", "error"), boundary("any", "work"),
        task("after-known", f"{name}-known"), task("after-any", f"{name}-any"),
        flow("start", "work"), flow("known", "after-known"), flow("any", "after-any"), errors={"error": "KNOWN"},
    )  # fmt: skip


@pytest.mark.parametrize(("code", "way"), [("KNOWN", "known"), ("OTHER", "any")])
async def test_an_error_goes_to_its_own_event_or_to_the_one_for_all_and_its_variables_stay_there(
    subject: Subject, code: str, way: str
) -> None:
    name = subject.new_name()
    await subject.deploy(catching(name))
    await subject.engine.create_instance(name, variables={"a": 1})
    await subject.jobs.deliver(await subject.take(f"{name}-work"), ErrorThrown(code, "why", {"a": 2, "b": "ü"}))
    assert (await subject.take(f"{name}-{way}")).variables == {"a": 1}


async def test_output_mappings_of_the_event_choose_what_of_the_error_stays(subject: Subject) -> None:
    name = subject.new_name()
    await subject.deploy(
        process(
            name, START, task("work", f"{name}-work"),
            boundary("caught", "work", "error", mapping(outputs={"x": "=b"})),
            task("after", f"{name}-after"), flow("start", "work"), flow("caught", "after"), errors={"error": "CODE"},
        )
    )  # fmt: skip
    await subject.engine.create_instance(name)
    await subject.jobs.deliver(await subject.take(f"{name}-work"), ErrorThrown("CODE", "", {"a": 2, "b": 3}))
    assert (await subject.take(f"{name}-after")).variables == {"x": 3}


async def test_an_error_ends_everything_in_the_sub_process_that_it_leaves(subject: Subject) -> None:
    name = subject.new_name()
    inside = [
        '<bpmn:startEvent id="in"/><bpmn:parallelGateway id="fork"/>', task("a", f"{name}-a"), task("b", f"{name}-b"),
        '<bpmn:endEvent id="fail"><bpmn:errorEventDefinition errorRef="error"/></bpmn:endEvent>',
        flow("in", "fork"), flow("fork", "a"), flow("fork", "b"), flow("a", "fail"),
    ]  # fmt: skip
    await subject.deploy(
        process(
            name, START, f'<bpmn:subProcess id="sub">{"".join(inside)}</bpmn:subProcess>',
            boundary("caught", "sub", "error"), task("after", f"{name}-after"),
            flow("start", "sub"), flow("caught", "after"), errors={"error": "CODE"},
        )
    )  # fmt: skip
    await subject.engine.create_instance(name)
    a, b = await subject.take(f"{name}-a"), await subject.take(f"{name}-b")
    await subject.jobs.deliver(a, Completed())
    assert (await subject.take(f"{name}-after")).element_id == "after"
    with pytest.raises(EngineNotFound):
        await subject.jobs.deliver(b, Completed())


async def test_the_variables_of_a_sub_process_are_its_own(subject: Subject) -> None:
    name = subject.new_name()
    inside = ['<bpmn:startEvent id="in"/>', task("a", f"{name}-a"), flow("in", "a")]
    extensions = f"<bpmn:extensionElements>{mapping(inputs={'own': '=1'})}</bpmn:extensionElements>"
    await subject.deploy(
        process(
            name, START, f'<bpmn:subProcess id="sub">{extensions}{"".join(inside)}</bpmn:subProcess>',
            task("after", f"{name}-after"), flow("start", "sub"), flow("sub", "after"),
        )
    )  # fmt: skip
    await subject.engine.create_instance(name, variables={"a": 1})
    job = await subject.take(f"{name}-a")
    assert job.variables == {"own": 1, "a": 1}
    await subject.jobs.deliver(job, Completed({"own": 2, "a": 2, "new": 2}))
    assert (await subject.take(f"{name}-after")).variables == {"a": 2, "new": 2}


# call activities


async def test_a_called_process_gets_all_variables_and_gives_all_back(subject: Subject) -> None:
    name = subject.new_name()
    child = f"{name}-child"
    parent = [START, call("call", f'="{child}"', mapping(inputs={"only": "=a"})), task("after", f"{name}-after")]
    await subject.deploy(one_task(child, f"{name}-in"))
    await subject.deploy(process(name, *parent, flow("start", "call"), flow("call", "after")))
    instance = await subject.engine.create_instance(name, variables={"a": 1})
    job = await subject.take(f"{name}-in")
    assert job.process_definition_id == child
    assert job.process_instance_key != instance.key
    assert job.variables == {"a": 1, "only": 1}
    with pytest.raises(EngineRejected, match="created by a parent process instance"):
        await subject.engine.cancel_instance(job.process_instance_key)
    await subject.jobs.deliver(job, Completed({"a": 2, "b": 3}))
    # What was made for the call comes back with the rest.
    assert (await subject.take(f"{name}-after")).variables == {"a": 2, "b": 3, "only": 1}


async def test_a_call_may_take_and_give_only_what_is_mapped(subject: Subject) -> None:
    name = subject.new_name()
    child = f"{name}-child"
    attributes = 'propagateAllParentVariables="false" propagateAllChildVariables="false"'
    mapped = mapping(inputs={"only": "=a"}, outputs={"kept": "=b"})
    parent = [START, call("call", child, mapped, attributes=attributes), task("after", f"{name}-after")]
    await subject.deploy(one_task(child, f"{name}-in"))
    await subject.deploy(process(name, *parent, flow("start", "call"), flow("call", "after")))
    await subject.engine.create_instance(name, variables={"a": 1})
    job = await subject.take(f"{name}-in")
    assert job.variables == {"only": 1}
    await subject.jobs.deliver(job, Completed({"b": 3}))
    assert (await subject.take(f"{name}-after")).variables == {"a": 1, "kept": 3}


async def test_an_error_leaves_the_called_process_for_its_caller(subject: Subject) -> None:
    name = subject.new_name()
    child = f"{name}-child"
    parent = [START, call("call", child), boundary("caught", "call", "error", mapping(outputs={"x": "=b"}))]
    parent += [task("after", f"{name}-after")]
    flows = [flow("start", "call"), flow("caught", "after")]
    await subject.deploy(one_task(child, f"{name}-in"))
    await subject.deploy(process(name, *parent, *flows, errors={"error": "CODE"}))
    await subject.engine.create_instance(name)
    await subject.jobs.deliver(await subject.take(f"{name}-in"), ErrorThrown("CODE", "", {"b": 1}))
    assert (await subject.take(f"{name}-after")).variables == {"x": 1}


async def test_cancelling_the_caller_cancels_what_it_called(subject: Subject) -> None:
    name = subject.new_name()
    child = f"{name}-child"
    await subject.deploy(one_task(child, f"{name}-in"))
    await subject.deploy(process(name, START, call("call", child), flow("start", "call")))
    instance = await subject.engine.create_instance(name)
    job = await subject.take(f"{name}-in")
    await subject.engine.cancel_instance(instance.key)
    with pytest.raises(EngineNotFound):
        await subject.jobs.deliver(job, Completed())


# FEEL

FEEL_VARIABLES: dict[str, Any] = {
    "i": 3, "f": 0.1, "whole": 2.0, "s": "grün", "t": True, "nothing": None, "größe": 4, "list": [{"d": 1}, {"d": "x"}],
    "ctx": {"a": {"b": [10, 20]}},
}  # fmt: skip
FEEL: dict[str, Any] = {
    "i": 3, "whole": 2, "f + 0.2": 0.3, "ctx.a.b": [10, 20], "ctx.a.b[1]": 10, "ctx.a.b[-1]": 20, "ctx.a.b[5]": None,
    "ctx.missing.deeper": None, "list.d": [1, "x"], "list[2].d": "x", "größe": 4,
    "1 + 2 * 3": 7, "(1 + 2) * 3": 9, "-i + 1": -2, "i - 1 - 1": 1, "2 ** 3": 8, "7 / 2": 3.5, "6 / 3": 2,
    "1 / 0": None, '"a" + s': "agrün", "s + 1": None, "nothing + 1": None, '"line\\nnext \\"q\\""': 'line\nnext "q"',
    "i = 3": True, "i != 3": False, "i > 2 and i <= 3": True, '"a" < "b"': True, "i > nothing": None,
    "nothing = null": True, "missing = null": True, "i = null": False, "t = true": True,
    "ctx.a = {b: [10, 20]}": True, "[1, 2] = [1, 2]": True,
    "t and nothing": None, "false and nothing": False, "t or nothing": True, "false or nothing": None,
    "not(t)": False, "not(nothing)": None,
    'if i > 1 then "many" else "few"': "many", 'if nothing then "yes" else "no"': "no",
    "[i, s, null]": [3, "grün", None], '{a: i, "b c": {d: s}}': {"a": 3, "b c": {"d": "grün"}},
    "is defined(i)": True, "is defined(missing)": False, "get or else(missing, 1)": 1, "get or else(i, 1)": 3,
    "string(i)": "3", "string(1.5)": "1.5", "string(true)": "true", 'number("1.5")': 1.5, "count(list)": 2,
    "append([1], 2)": [1, 2], 'contains("grün", "ü")': True, "upper case(s)": "GRÜN", 'lower case("Ä")': "ä",
    "string length(s)": 4,
}  # fmt: skip


async def test_feel_has_the_values_of_the_engines_own(subject: Subject) -> None:
    name = subject.new_name()
    targets = {f"v{number}": f"={expression}" for number, expression in enumerate(FEEL)}
    await subject.deploy(one_task(name, name, inputs=targets))
    await subject.engine.create_instance(name, variables=FEEL_VARIABLES)
    job = await subject.take(name)
    found = {expression: job.variables[f"v{number}"] for number, expression in enumerate(FEEL)}
    assert found == FEEL
