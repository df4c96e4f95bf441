"""BPMN, DMN and form files before the engine sees them: what is taken, and what is refused with its line."""

import json
import tracemalloc
from pathlib import Path

import pytest

from procos.errors import UsageError
from procos.kernel.resource_files import LARGEST_BYTES, element_names, read_resources
from procos.model.deployment import Resource

BPMN = '<?xml version="1.0" encoding="UTF-8"?>\n<definitions>\n  <process id="order" name="Order"/>\n</definitions>\n'


@pytest.fixture
def write(tmp_path: Path):
    def write_file(name: str, content: str | bytes = BPMN) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def refusal(*paths: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_resources(paths)
    return caught.value


# What is taken


def test_files_are_read_as_they_are_in_the_order_given(write):
    form = json.dumps({"id": "ask", "components": []})
    paths = [write("b.bpmn"), write("a.dmn", "<definitions/>"), write("ask.form", form)]

    assert read_resources(paths) == [
        Resource("b.bpmn", BPMN.encode()),
        Resource("a.dmn", b"<definitions/>"),
        Resource("ask.form", form.encode()),
    ]


def test_a_folder_means_all_of_its_files_at_any_depth_in_order(write, tmp_path):
    for name in ("z.bpmn", "a/deep/b.dmn", "a/c.bpmn"):
        write(name)
    write("a/readme.md", "# not this one")
    (tmp_path / "folder.bpmn").mkdir()

    assert [resource.name for resource in read_resources([tmp_path])] == ["c.bpmn", "b.dmn", "z.bpmn"]


@pytest.mark.parametrize(
    ("encoding", "codec"),
    [("UTF-16", "utf-16"), ("ISO-8859-1", "latin-1"), ("windows-1252", "cp1252"), ("UTF-8", "utf-8-sig")],
)
def test_other_encodings_are_taken_and_left_as_they_are(write, encoding, codec):
    content = BPMN.replace("UTF-8", encoding).replace('"Order"', '"Größe prüfen"').encode(codec)

    (resource,) = read_resources([write("a.bpmn", content)])

    assert resource.content == content
    assert element_names(resource) == {"order": "Größe prüfen"}


# Broken XML


def test_broken_xml_is_refused_with_file_line_and_column(write):
    path = write("a.bpmn", "<definitions>\n  <process>\n  </proces>\n</definitions>")

    error = refusal(path)

    assert error.message == f"{path}, line 3, column 5: broken XML: mismatched tag"
    assert error.exit_code == 2
    assert error.hint


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("", 1, "no element found"),
        ("\n\n", 3, "no element found"),
        ("not xml", 1, "syntax error"),
        ("<a>\n<b>", 2, "no element found"),
        ("<a>\n&nbsp;</a>", 2, "undefined entity"),
        ("<a/>\n<b/>", 2, "junk after document element"),
        (b"<a>\n\xff</a>", 2, "not well-formed (invalid token)"),
        ('<a\nb="1" b="2"/>', 2, "duplicate attribute"),
    ],
)
def test_each_kind_of_broken_xml_names_its_line(write, content, line, reason):
    message = refusal(write("a.bpmn", content)).message

    assert f"a.bpmn, line {line}, column" in message
    assert f"broken XML: {reason}" in message


@pytest.mark.parametrize("encoding", ["no-such-encoding", "GB18030", "utf-7", "rot13"])
def test_an_encoding_that_cannot_be_read_is_refused(write, encoding):
    message = refusal(write("a.bpmn", f'<?xml version="1.0" encoding="{encoding}"?>\n<definitions/>')).message

    assert "a.bpmn, line 1" in message
    assert "encoding" in message


# DTDs and entities

BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [
  <!ENTITY a "ha">
  <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
]>
<definitions>&b;</definitions>
"""


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (BOMB, 2),
        ('<?xml version="1.0"?>\n\n<!DOCTYPE a SYSTEM "file:///etc/passwd">\n<a/>', 3),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<a>&x;</a>', 1),
        ("<!DOCTYPE a>\n<a/>", 1),
    ],
)
def test_a_dtd_is_refused_with_its_line(write, content, line):
    error = refusal(write("a.bpmn", content))

    assert error.message.endswith(f"a.bpmn, line {line}: a document type (DTD) is not allowed, entities are not either")
    assert "<!DOCTYPE" in str(error.hint)


def test_a_dtd_in_another_encoding_is_refused_too(write):
    content = BOMB.replace('version="1.0"', 'version="1.0" encoding="UTF-16"').encode("utf-16")

    assert "line 2: a document type (DTD) is not allowed" in refusal(write("a.dmn", content)).message


def test_an_entity_bomb_is_stopped_before_it_is_unpacked(write):
    entities = ['<!ENTITY e0 "0123456789">']
    entities += [f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12)]
    bomb = f"<!DOCTYPE a [\n{chr(10).join(entities)}\n]>\n<a>&e11;</a>"

    assert "line 1: a document type (DTD)" in refusal(write("a.bpmn", bomb)).message


# Size


def test_a_file_of_fifty_megabytes_is_refused_without_being_read(tmp_path):
    path = tmp_path / "huge.bpmn"
    with path.open("wb") as file:
        file.truncate(50 * 1024**2)
    tracemalloc.start()
    try:
        error = refusal(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert error.message == f"{path} has 50.0 MiB; the engine takes 4 MiB at once"
    assert most < 1024**2


def test_many_files_may_be_too_large_together(write):
    half = "<a>" + " " * (LARGEST_BYTES // 2) + "</a>"

    error = refusal(write("a.bpmn", half), write("b.bpmn", half))

    assert "4.0 MiB together; the engine takes 4 MiB at once" in error.message or "3.9 MiB together" in error.message
    assert error.hint == "deploy them in several steps"


def test_the_largest_file_is_taken(write):
    content = b"<a>" + b" " * (LARGEST_BYTES - 7) + b"</a>"

    assert len(read_resources([write("a.bpmn", content)])[0].content) == LARGEST_BYTES


# Files and folders


def test_a_missing_file_is_named(tmp_path):
    assert refusal(tmp_path / "a.bpmn").message == f"{tmp_path}/a.bpmn cannot be read: No such file or directory"


def test_a_file_of_another_kind_is_refused(write):
    assert "the engine takes .bpmn, .dmn, .form files only" in refusal(write("a.xml")).message


def test_a_folder_without_a_usable_file_is_refused(write, tmp_path):
    write("notes.txt")
    assert refusal(tmp_path).message == f"the folder {tmp_path} holds no .bpmn, .dmn, .form file"


def test_two_files_of_one_name_are_refused_before_the_engine_mixes_them_up(write, tmp_path):
    write("one/a.bpmn")
    write("two/a.bpmn")

    assert refusal(tmp_path).message.startswith("two files are called a.bpmn; ")


def test_a_file_that_may_not_be_read_is_named(write, error_of):
    path = write("a.bpmn")
    path.chmod(0)
    script = (
        "from pathlib import Path; from procos.kernel.resource_files import read_resources; "
        f"read_resources([Path({str(path)!r})])"
    )
    assert error_of(script) == f"{path} cannot be read: Permission denied"


def test_one_broken_file_refuses_the_whole_batch(write):
    assert "b.bpmn, line 1" in refusal(write("a.bpmn"), write("b.bpmn", "<a>"), write("c.bpmn")).message


# Forms


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"id": ', "broken JSON"),
        (b'{"id": "\xff"}', "broken JSON"),
        ("[]", "it has no 'id'"),
        ("{}", "it has no 'id'"),
        ('{"id": ""}', "it has no 'id'"),
        ("[" * 200_000, "broken JSON"),
    ],
)
def test_a_form_that_is_none_is_refused(write, content, reason):
    message = refusal(write("ask.form", content)).message

    assert "ask.form is not a form: " in message
    assert reason in message


def test_broken_json_names_its_line(write):
    assert "line 2 column" in refusal(write("ask.form", '{\n"id": }')).message


# Names of elements


def test_named_elements_are_found_by_their_ids_in_any_namespace():
    content = b"""<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" id="defs">
      <bpmn:process id="order" name="Order">
        <bpmn:serviceTask id="ask" name="  Ask&#10; the   customer "/>
        <bpmn:serviceTask id="nameless"/>
        <bpmn:serviceTask id="empty" name=""/>
        <bpmn:participant name="no id"/>
      </bpmn:process>
    </bpmn:definitions>"""

    assert element_names(Resource("a.bpmn", content)) == {"order": "Order", "ask": "Ask the customer"}
