"""What a diagram says of the elements that make jobs."""

import pytest

from procos.errors import UsageError
from procos.kernel.task_elements import USER_TASK_TYPE, DrawnProcess, read_processes
from procos.model.definition import TaskElement
from procos.model.deployment import Resource
from tests.unit.kernel.drawn import extended, file, process, typed

SCRIPT = extended('<zeebe:script expression="=1" resultVariable="r"/>')
DECISION = extended('<zeebe:calledDecision decisionId="d" resultVariable="r"/>')
CALLED = extended('<zeebe:calledElement processId="p"/>')
FOREIGN = extended('<other:taskDefinition xmlns:other="x" type="x"/>')


def elements(resource: Resource) -> tuple[TaskElement, ...]:
    (found,) = read_processes(resource)
    return found.elements


def ids(resource: Resource) -> list[str]:
    return [element.element_id for element in elements(resource)]


def test_a_task_is_read_with_name_documentation_lane_and_job_type():
    resource = process(
        '<bpmn:laneSet><bpmn:lane id="l" name=" Back&#10;office "><bpmn:flowNodeRef> a </bpmn:flowNodeRef></bpmn:lane>'
        "</bpmn:laneSet>"
        '<bpmn:serviceTask id="a" name="  Check&#10; the   order ">'
        "<bpmn:documentation>\n  Look at <b>every</b> line.\n</bpmn:documentation>"
        f"<bpmn:documentation>Größe &amp; Gewicht</bpmn:documentation>{typed('check')}</bpmn:serviceTask>"
    )

    assert elements(resource) == (
        TaskElement(
            element_id="a",
            name="Check the order",
            documentation="Look at every line.\n\nGröße & Gewicht",
            lane="Back office",
            job_type="check",
        ),
    )


@pytest.mark.parametrize("kind", ["serviceTask", "sendTask", "scriptTask", "businessRuleTask"])
def test_each_kind_of_task_with_a_job_type_makes_jobs(kind):
    assert ids(process(f'<bpmn:{kind} id="a">{typed("x")}</bpmn:{kind}>')) == ["a"]


@pytest.mark.parametrize("kind", ["intermediateThrowEvent", "endEvent"])
def test_message_events_that_throw_make_jobs_and_others_do_not(kind):
    message = f'<bpmn:{kind} id="a">{typed("x")}<bpmn:messageEventDefinition/></bpmn:{kind}>'
    plain = f'<bpmn:{kind} id="b">{typed("x")}</bpmn:{kind}>'
    caught = (
        f'<bpmn:intermediateCatchEvent id="c">{typed("x")}<bpmn:messageEventDefinition/></bpmn:intermediateCatchEvent>'
    )

    assert ids(process(message + plain + caught)) == ["a"]


@pytest.mark.parametrize(
    "task",
    [
        '<bpmn:task id="a" name="Only a name"/>',
        '<bpmn:manualTask id="a" name="By hand"/>',
        f'<bpmn:manualTask id="a">{typed("x")}</bpmn:manualTask>',
        '<bpmn:serviceTask id="a" name="Not prepared"/>',
        f'<bpmn:scriptTask id="a">{SCRIPT}</bpmn:scriptTask>',
        f'<bpmn:businessRuleTask id="a">{DECISION}</bpmn:businessRuleTask>',
        f'<bpmn:callActivity id="a">{CALLED}</bpmn:callActivity>',
        f'<bpmn:userTask id="a">{extended("<zeebe:userTask/>")}</bpmn:userTask>',
        f'<bpmn:serviceTask id="a">{FOREIGN}</bpmn:serviceTask>',
        '<other:serviceTask xmlns:other="x" id="a"/>',
    ],
)
def test_what_makes_no_jobs_is_not_listed(task):
    assert elements(process(task)) == ()


def test_a_user_task_of_the_older_kind_makes_jobs_of_camundas_type():
    assert elements(process('<bpmn:userTask id="a" name="Approve"/>')) == (
        TaskElement(element_id="a", name="Approve", job_type=USER_TASK_TYPE),
    )


def test_a_job_type_that_is_an_expression_is_none():
    (element,) = elements(process(f'<bpmn:serviceTask id="a">{typed("= &quot;tde.&quot; + x")}</bpmn:serviceTask>'))

    assert element.job_type is None


def test_the_element_template_that_a_task_was_made_with_is_read():
    namespace = 'xmlns:z="http://camunda.org/schema/zeebe/1.0"'
    task = f'<bpmn:serviceTask id="a" {namespace} z:modelerTemplate="procos.tde.http">{typed("x")}</bpmn:serviceTask>'
    (element,) = elements(process(task))

    assert element.template == "procos.tde.http"


def test_a_multi_instance_task_is_listed_once():
    loop = "<bpmn:multiInstanceLoopCharacteristics/>"
    assert ids(process(f'<bpmn:serviceTask id="a">{typed("x")}{loop}</bpmn:serviceTask>')) == ["a"]


def test_tasks_in_sub_processes_come_in_the_order_of_the_file():
    def task(name: str) -> str:
        return f'<bpmn:serviceTask id="{name}">{typed("x")}</bpmn:serviceTask>'

    resource = process(
        f"{task('a')}<bpmn:subProcess id='s'>{task('b')}<bpmn:transaction id='t'>{task('c')}</bpmn:transaction>"
        f"{task('d')}</bpmn:subProcess>{task('e')}<bpmn:adHocSubProcess id='h'>{task('f')}</bpmn:adHocSubProcess>"
    )

    assert ids(resource) == ["a", "b", "c", "d", "e", "f"]


def test_the_innermost_lane_with_a_name_counts_and_sub_processes_pass_theirs_on():
    def ref(*names: str) -> str:
        return "".join(f"<bpmn:flowNodeRef>{name}</bpmn:flowNodeRef>" for name in names)

    def task(name: str) -> str:
        return f'<bpmn:serviceTask id="{name}">{typed("x")}</bpmn:serviceTask>'

    resource = process(
        f"""<bpmn:laneSet>
          <bpmn:lane id="1" name="Sales">{ref("a", "b", "c", "s")}<bpmn:childLaneSet>
            <bpmn:lane id="2" name="Inside">{ref("a", "b")}<bpmn:childLaneSet>
              <bpmn:lane id="3">{ref("b")}</bpmn:lane></bpmn:childLaneSet></bpmn:lane></bpmn:childLaneSet></bpmn:lane>
        </bpmn:laneSet>
        {task("a")}{task("b")}{task("c")}{task("d")}
        <bpmn:subProcess id="s"><bpmn:laneSet><bpmn:lane id="4" name="Own">{ref("f")}</bpmn:lane></bpmn:laneSet>
          {task("e")}{task("f")}</bpmn:subProcess>"""
    )

    lanes = {element.element_id: element.lane for element in elements(resource)}
    assert lanes == {"a": "Inside", "b": "Inside", "c": "Sales", "d": "", "e": "Sales", "f": "Own"}


def test_each_process_of_a_file_has_its_own_elements_and_without_a_name_that_of_its_pool():
    resource = file(
        '<bpmn:collaboration id="c"><bpmn:participant id="1" name="The  shop" processRef="order"/>'
        '<bpmn:participant id="2" name="Not this" processRef="bill"/><bpmn:participant id="3" name="Black box"/>'
        "</bpmn:collaboration>"
        f'<bpmn:process id="order"><bpmn:serviceTask id="a">{typed("x")}</bpmn:serviceTask></bpmn:process>'
        f'<bpmn:process id="bill" name="Billing"><bpmn:sendTask id="b">{typed("y")}</bpmn:sendTask></bpmn:process>'
        '<bpmn:process id="empty"/>'
    )

    assert read_processes(resource) == (
        DrawnProcess("order", "The shop", (TaskElement(element_id="a", job_type="x"),)),
        DrawnProcess("bill", "Billing", (TaskElement(element_id="b", job_type="y"),)),
        DrawnProcess("empty", "", ()),
    )


def test_any_prefixes_do():
    content = b"""<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="order">
      <serviceTask id="a"><extensionElements>
        <taskDefinition xmlns="http://camunda.org/schema/zeebe/1.0" type="x"/></extensionElements></serviceTask>
    </process></definitions>"""

    assert ids(Resource("a.bpmn", content)) == ["a"]


@pytest.mark.parametrize("content", [b"<a/>", b'<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/"/>'])
def test_what_is_no_bpmn_has_no_processes(content):
    assert read_processes(Resource("a.bpmn", content)) == ()


@pytest.mark.parametrize("encoding", ["UTF-16", "ISO-8859-1", "windows-1252"])
def test_other_encodings_are_read(encoding):
    resource = process(f'<bpmn:serviceTask id="a" name="Größe">{typed("x")}</bpmn:serviceTask>', encoding=encoding)

    assert [element.name for element in elements(resource)] == ["Größe"]


def test_a_file_of_any_depth_is_read():
    depth = 50_000
    inside = "<bpmn:subProcess>" * depth + f'<bpmn:sendTask id="a">{typed("x")}</bpmn:sendTask>'

    assert ids(process(inside + "</bpmn:subProcess>" * depth)) == ["a"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<a>\n<b>", ["a.bpmn, line 2", "broken XML"]),
        (b"<a>\n<x:b/></a>", ["a.bpmn, line 2", "unbound prefix"]),
        (b"<!DOCTYPE a [<!ENTITY x 'y'>]>\n<a>&x;</a>", ["a.bpmn, line 1", "DTD"]),
        (b'<?xml version="1.0" encoding="nope"?><a/>', ["a.bpmn", "unknown encoding"]),
        ("<a/>".encode("utf-16-le") + b"x", ["a.bpmn", "encoding cannot be read"]),
        (b"", ["a.bpmn, line 1", "no element found"]),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(content, words):
    with pytest.raises(UsageError) as caught:
        read_processes(Resource("a.bpmn", content))
    for word in words:
        assert word in caught.value.message
    assert caught.value.hint
