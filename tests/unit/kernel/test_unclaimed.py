"""Tasks with only a name get a job type, and nothing else in the file changes."""

from xml.etree import ElementTree as ET

import pytest

from procos.errors import UsageError
from procos.kernel.task_elements import read_processes
from procos.kernel.unclaimed import prepare
from procos.model.deployment import Resource
from tests.unit.kernel.drawn import NAMESPACES, extended, file, process, typed

DEFINITION = '<zeebe:taskDefinition type="procos.task"/>'
RETRIES = '<zeebe:taskDefinition retries="5" />'
TYPE = ' type="procos.task"'
EXTENSIONS = extended(DEFINITION)
SCRIPT = extended('<zeebe:script expression="=1" resultVariable="r"/>')
DECISION = extended('<zeebe:calledDecision decisionId="d" resultVariable="r"/>')
LOCAL = '<zeebe:taskDefinition xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" type="procos.task"/>'
ONLY_BPMN = 'xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"'


def prepared(before: str, **options: str) -> str:
    """What becomes of the inside of a process; everything around it has to be as it was."""
    resource = process(before, **options)
    found = prepare(resource).resource
    codec = options.get("encoding", "UTF-8")
    head, tail = resource.content.decode(codec).split(before)
    text = found.content.decode(codec)
    assert text.startswith(head)
    assert text.endswith(tail)
    ET.fromstring(found.content)  # noqa: S314 - our own
    return text[len(head) : -len(tail)]


def names(resource: Resource) -> list[str]:
    return [task.name for task in prepare(resource).tasks]


# What is changed, and how


CHANGES = {
    "an empty element": (
        '<bpmn:task id="a" name="Ask"/>',
        f'<bpmn:serviceTask id="a" name="Ask">{EXTENSIONS}</bpmn:serviceTask>',
    ),
    "a space before its end": (
        '<bpmn:task id="a"\n  name="Ask"\n/>',
        f'<bpmn:serviceTask id="a"\n  name="Ask">{EXTENSIONS}</bpmn:serviceTask>',
    ),
    "angles and quotes": (
        '<bpmn:task\tname=\'a "b" > c\' id="a"><!-- > --><bpmn:incoming>f</bpmn:incoming></bpmn:task >',
        (
            f'<bpmn:serviceTask\tname=\'a "b" > c\' id="a">{EXTENSIONS}<!-- > --><bpmn:incoming>f</bpmn:incoming>'
            "</bpmn:serviceTask >"
        ),
    ),
    "after the documentation": (
        (
            '<bpmn:task id="a" name="Ask"><bpmn:documentation>One</bpmn:documentation>\n'
            "<bpmn:documentation >Two</bpmn:documentation ><!-- c --><bpmn:incoming>f</bpmn:incoming></bpmn:task>"
        ),
        (
            '<bpmn:serviceTask id="a" name="Ask"><bpmn:documentation>One</bpmn:documentation>\n'
            f"<bpmn:documentation >Two</bpmn:documentation >{EXTENSIONS}<!-- c --><bpmn:incoming>f</bpmn:incoming>"
            "</bpmn:serviceTask>"
        ),
    ),
    "after an empty documentation": (
        '<bpmn:task id="a" name="Ask"><bpmn:documentation/></bpmn:task>',
        f'<bpmn:serviceTask id="a" name="Ask"><bpmn:documentation/>{EXTENSIONS}</bpmn:serviceTask>',
    ),
    "empty extension elements": (
        '<bpmn:task id="a" name="Ask"><bpmn:extensionElements/></bpmn:task>',
        f'<bpmn:serviceTask id="a" name="Ask">{EXTENSIONS}</bpmn:serviceTask>',
    ),
    "extension elements": (
        f'<bpmn:task id="a" name="Ask">{extended(" <zeebe:ioMapping/>")}</bpmn:task>',
        f'<bpmn:serviceTask id="a" name="Ask">{extended(DEFINITION + " <zeebe:ioMapping/>")}</bpmn:serviceTask>',
    ),
    "a service task": (
        '<bpmn:serviceTask id="a" name="Ask"><bpmn:incoming>f</bpmn:incoming></bpmn:serviceTask>',
        f'<bpmn:serviceTask id="a" name="Ask">{EXTENSIONS}<bpmn:incoming>f</bpmn:incoming></bpmn:serviceTask>',
    ),
    "retries without a type": (
        f'<bpmn:sendTask id="a">{extended(RETRIES)}</bpmn:sendTask>',
        f'<bpmn:sendTask id="a">{extended(RETRIES.replace(" retries", TYPE + " retries"))}</bpmn:sendTask>',
    ),
    "a script task": ('<bpmn:scriptTask id="a"/>', f'<bpmn:scriptTask id="a">{EXTENSIONS}</bpmn:scriptTask>'),
    "a business rule task": (
        '<bpmn:businessRuleTask id="a"/>',
        f'<bpmn:businessRuleTask id="a">{EXTENSIONS}</bpmn:businessRuleTask>',
    ),
}


@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES)
def test_only_what_has_to_change_changes(before, after):
    assert prepared(before) == after


def test_the_tasks_are_told_in_the_order_of_the_file():
    found = prepare(
        process(
            '<bpmn:task id="a" name="Ask &amp;&#10; wait"/><bpmn:subProcess id="s"><bpmn:serviceTask id="b"/>'
            '<bpmn:task id="n"/></bpmn:subProcess><bpmn:task id="c" name="問い合わせ"/>'
        )
    )

    assert [(task.element_id, task.name) for task in found.tasks] == [
        ("a", "Ask & wait"),
        ("b", ""),
        ("c", "問い合わせ"),
    ]


def test_what_was_prepared_is_read_as_tasks_of_the_heartbeat_and_needs_nothing_more():
    once = prepare(process('<bpmn:task id="a" name="Ask"/><bpmn:sendTask id="b" name="Tell"/>')).resource

    (found,) = read_processes(once)
    assert [(it.element_id, it.name, it.job_type) for it in found.elements] == [
        ("a", "Ask", "procos.task"),
        ("b", "Tell", "procos.task"),
    ]
    assert prepare(once).resource is once


def test_several_processes_in_one_file_each_get_theirs():
    found = prepare(
        file(
            '<bpmn:process id="1" isExecutable="true"><bpmn:task id="a" name="A"/></bpmn:process>'
            '<bpmn:process id="2" isExecutable="true"><bpmn:task id="b" name="B"/></bpmn:process>'
        )
    )

    assert [task.element_id for task in found.tasks] == ["a", "b"]
    assert found.resource.content.count(EXTENSIONS.encode()) == 2


# Namespaces


def test_where_zeebes_namespace_is_not_declared_it_is_declared_on_the_spot():
    assert prepared('<bpmn:task id="a" name="Ask"/>', namespaces=ONLY_BPMN) == (
        f'<bpmn:serviceTask id="a" name="Ask">{extended(LOCAL)}</bpmn:serviceTask>'
    )


def test_a_prefix_that_means_something_else_is_not_taken_for_zeebes():
    before = '<bpmn:task id="a" name="Ask"/>'

    assert LOCAL in prepared(before, namespaces=f'{ONLY_BPMN} xmlns:zeebe="https://example.com/other"')


def test_the_prefix_of_the_place_counts():
    namespaces = f'{ONLY_BPMN} xmlns:z="http://camunda.org/schema/zeebe/1.0"'

    assert '<z:taskDefinition type="procos.task"/>' in prepared('<bpmn:task id="a" name="A"/>', namespaces=namespaces)
    hidden = '<bpmn:task id="a" name="A" xmlns:z="https://example.com/other"/>'
    assert LOCAL in prepared(hidden, namespaces=namespaces)


def test_without_prefixes():
    content = (
        b'<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="p" isExecutable="true">'
        b'<task id="a" name="Ask"></task></process></definitions>'
    )

    found = prepare(Resource("a.bpmn", content)).resource.content

    inside = f"<extensionElements>{LOCAL}</extensionElements>".encode()
    assert found == content.replace(
        b'<task id="a" name="Ask"></task>', b'<serviceTask id="a" name="Ask">' + inside + b"</serviceTask>"
    )


def test_prefixes_in_other_scripts():
    content = process('<bpmn:task id="a" name="A"></bpmn:task>').content.replace(b"bpmn:", "größe:".encode())
    content = content.replace(b"xmlns:bpmn=", "xmlns:größe=".encode())

    found = prepare(Resource("a.bpmn", content)).resource.content.decode()

    assert '<größe:serviceTask id="a" name="A"><größe:extensionElements><zeebe:taskDefinition' in found
    ET.fromstring(found)  # noqa: S314 - our own


# What stays as it is


@pytest.mark.parametrize(
    "inside",
    [
        "",
        '<bpmn:task id="a"/>',
        '<bpmn:task id="a" name=" &#10; "/>',
        '<bpmn:manualTask id="a" name="By hand"/>',
        '<bpmn:userTask id="a" name="Approve"/>',
        '<bpmn:receiveTask id="a" name="Wait"/>',
        '<bpmn:callActivity id="a" name="Call"/>',
        '<bpmn:endEvent id="a" name="Done"/>',
        f'<bpmn:serviceTask id="a" name="Mine">{typed("mine")}</bpmn:serviceTask>',
        f'<bpmn:serviceTask id="a" name="Mine">{typed("")}</bpmn:serviceTask>',
        f'<bpmn:serviceTask id="a" name="Mine">{typed("=x")}</bpmn:serviceTask>',
        f'<bpmn:task id="a" name="Mine">{typed("mine")}</bpmn:task>',
        f'<bpmn:scriptTask id="a">{SCRIPT}</bpmn:scriptTask>',
        f'<bpmn:businessRuleTask id="a">{DECISION}</bpmn:businessRuleTask>',
        '<!-- <bpmn:task id="a" name="Ask"/> -->',
        '<bpmn:documentation><![CDATA[<bpmn:task id="a" name="Ask"/>]]></bpmn:documentation>',
        '<other:task xmlns:other="https://example.com/other" id="a" name="Ask"/>',
    ],
)
def test_what_needs_nothing_comes_back_byte_for_byte(inside):
    resource = process(inside)

    found = prepare(resource)

    assert found.resource is resource
    assert found.tasks == ()


@pytest.mark.parametrize("more", ["", 'isExecutable="false"'])
def test_a_process_that_is_not_executable_stays_as_it_is(more):
    resource = process('<bpmn:task id="a" name="Ask"/>', more=more)

    assert prepare(resource).resource is resource


def test_files_of_other_kinds_are_not_even_read():
    for name in ("a.dmn", "a.form"):
        resource = Resource(name, b"anything")
        assert prepare(resource).resource is resource


def test_the_diagram_comments_and_other_tools_notes_survive():
    resource = file(
        '<bpmn:process id="p" isExecutable="true">\r\n  <!-- keep -->\r\n  <bpmn:task id="a" name="Ask"/>\r\n'
        '</bpmn:process>\r\n<bpmndi:BPMNDiagram xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" id="d">'
        '<bpmndi:BPMNPlane bpmnElement="p"/></bpmndi:BPMNDiagram><?note for="others"?>'
    )

    found = prepare(resource).resource.content

    assert (
        found.replace(EXTENSIONS.encode(), b"")
        .replace(b"</bpmn:serviceTask>", b"")
        .replace(b'<bpmn:serviceTask id="a" name="Ask">', b'<bpmn:task id="a" name="Ask"/>')
        == resource.content
    )


# Opting out

NO = extended('<zeebe:properties><zeebe:property name="procos.claim" value="no"/></zeebe:properties>')
YES, WRONG = NO.replace('"no"', '"yes"'), NO.replace('"no"', '"false"')
OTHER = NO.replace("procos.claim", "claim")


@pytest.mark.parametrize(
    ("inside", "claimed"),
    [
        (f'<bpmn:task id="a" name="A">{NO}</bpmn:task><bpmn:task id="b" name="B"/>', ["B"]),
        (f'{NO}<bpmn:task id="a" name="A"/><bpmn:subProcess id="s"><bpmn:task id="b" name="B"/></bpmn:subProcess>', []),
        (f'{NO}<bpmn:task id="a" name="A">{YES}</bpmn:task><bpmn:task id="b" name="B"/>', ["A"]),
        (
            f'<bpmn:subProcess id="s">{NO}<bpmn:task id="a" name="A"/></bpmn:subProcess><bpmn:task id="b" name="B"/>',
            ["B"],
        ),
        (f'<bpmn:task id="a" name="A">{YES}</bpmn:task>', ["A"]),
        (f'<bpmn:task id="a" name="A">{OTHER}</bpmn:task>', ["A"]),
    ],
)
def test_a_task_or_what_is_around_it_can_opt_out(inside, claimed):
    assert names(process(inside)) == claimed


def test_an_opt_out_that_says_neither_yes_nor_no_is_refused_with_its_place():
    with pytest.raises(UsageError) as caught:
        prepare(process(f'\n<bpmn:task id="a" name="Ask">{WRONG}</bpmn:task>'))

    assert caught.value.message == "drawn.bpmn, line 6: the property procos.claim of 'Ask' is 'false'"
    assert "value no" in str(caught.value.hint)


# Encodings and sizes


@pytest.mark.parametrize("encoding", ["UTF-16", "ISO-8859-1", "windows-1252", "US-ASCII"])
def test_a_file_stays_in_its_encoding(encoding):
    name = "Ask" if encoding == "US-ASCII" else "Größe"
    before = f'<bpmn:task id="a" name="{name}"/>'

    after = prepared(before, encoding=encoding)

    assert after == f'<bpmn:serviceTask id="a" name="{name}">{EXTENSIONS}</bpmn:serviceTask>'


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16-le", "utf-16-be"])
def test_byte_order_marks_stay(codec):
    text = process('<bpmn:task id="a" name="Ask"/>').content.decode()
    text = text.replace('encoding="UTF-8"', "") if codec != "utf-8-sig" else text
    mark = "" if codec == "utf-8-sig" else "\ufeff"
    content = (mark + text).encode(codec)

    found = prepare(Resource("a.bpmn", content)).resource.content

    assert found[:3] == content[:3]
    assert EXTENSIONS in found.decode(codec)


def test_a_file_of_four_megabytes():
    tasks = "".join(
        f'<bpmn:task id="t{n}" name="Do {n}"><bpmn:incoming>f</bpmn:incoming></bpmn:task>' for n in range(40_000)
    )

    found = prepare(process(tasks))

    assert len(found.tasks) == found.resource.content.count(EXTENSIONS.encode()) == 40_000


def test_broken_xml_is_refused():
    with pytest.raises(UsageError, match=r"a\.bpmn, line 1.*broken XML"):
        prepare(Resource("a.bpmn", f"<bpmn:definitions {NAMESPACES}>".encode()))
