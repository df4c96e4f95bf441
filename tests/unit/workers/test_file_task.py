"""What the file TDE says of tasks, contents and settings that are wrong."""

import base64
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from procos.sdk import GiveUp
from procos_workers.file import file
from procos_workers.file_task import Entry, FileConfig, FileInput, FileOutput
from tests.unit.workers.context import task_context
from tests.unit.workers.file_caller import do, names


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def test_a_file_that_is_too_large_is_not_read(root):
    (root / "a").write_bytes(b"x" * 11)
    with pytest.raises(GiveUp, match=r"read a: the file is larger than 10 bytes; .* tde\.file\.max_bytes"):
        do(root, "read", "a", config=FileConfig(roots=[root], max_bytes=10))
    assert do(root, "read", "a", config=FileConfig(roots=[root], max_bytes=11)).size_bytes == 11


@pytest.mark.parametrize("operation", ["write", "append"])
def test_a_content_that_is_too_large_is_not_written(root, operation):
    with pytest.raises(GiveUp, match=rf"{operation} a: the content has 12 bytes, and 11 are allowed"):
        do(root, operation, "a", content="ä" * 6, config=FileConfig(roots=[root], max_bytes=11))
    assert names(root) == []


@pytest.mark.parametrize(
    ("data", "form", "message"),
    [
        (b"a\xff", "text", r"the file is not UTF-8 \(byte 1\); set 'format' to base64"),
        (b'{"a": \xff}', "json", r"not UTF-8"),
        (b'{"a": \n geheim}', "json", r"the file is not JSON \(Expecting value in line 2, column 2\)"),
        (b"NaN", "json", "the file is not JSON"),
        (b"[" * 100_000, "json", "the file is not JSON"),
    ],
)
def test_a_file_that_is_not_of_its_format_says_so(root, data, form, message):
    (root / "a").write_bytes(data)
    with pytest.raises(GiveUp, match=message) as caught:
        do(root, "read", "a", format=form)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "there is no 'content'"),
        ({"content": {"geheim": 1}}, "has to be a string for the format text; set 'format' to json"),
        ({"content": None}, "has to be a string for the format text"),
        ({"content": ["geheim"], "format": "base64"}, "has to be a string for the format base64"),
        ({"content": "geheim!", "format": "base64"}, "'content' is not base64"),
    ],
)
def test_a_content_that_is_not_of_its_format_says_so(root, fields, message):
    with pytest.raises(GiveUp, match=f"write a: .*{message}") as caught:
        do(root, "write", "a", **fields)
    assert "geheim" not in str(caught.value)
    assert names(root) == []


@pytest.mark.parametrize("content", ["\ud800", ["\udfff"], {"\ud800": 1}])
def test_half_a_character_is_refused_without_a_traceback(root, content):
    with pytest.raises((ValidationError, GiveUp)):
        do(root, "write", "a", content=content, format="json")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"path": "a\0b"}, "a path cannot hold a NUL character"),
        ({"path": "a\ud800"}, "path"),
        ({"operation": "chmod"}, "operation"),
        ({"pattern": "../*"}, "a pattern is for names"),
        ({"geheimnis": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_task_that_is_wrong_is_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        FileInput.model_validate({"operation": "list", "path": "a", **fields})


def test_a_wrong_type_is_refused_without_showing_the_content():
    with pytest.raises(ValidationError) as caught:
        FileInput.model_validate({"operation": "write", "path": ["geheim"], "content": "geheim"})
    assert "geheim" not in str(caught.value)
    assert "geheim" not in repr(FileInput(operation="write", path="a", content="geheim"))


@pytest.mark.parametrize("wrong", ["relative", "/a/../b"])
def test_a_root_is_an_absolute_path(wrong):
    with pytest.raises(ValidationError, match="write the root as an absolute path"):
        FileConfig(roots=[wrong])


def test_without_roots_the_data_folder_is_the_root_and_is_made(tmp_path):
    task = FileInput(operation="write", path="a", content="x")
    assert file(task, task_context(FileConfig(), tmp_path / "data" / "file")).exists
    assert (tmp_path / "data" / "file" / "a").read_text() == "x"


def test_the_tdes_own_files_do_not_show_in_its_data_folder(tmp_path):
    context = task_context(FileConfig(), tmp_path)
    file(FileInput(operation="append", path="a", content="x"), context)
    listed = file(FileInput(operation="list", path="", recursive=True), context)
    assert [entry.path for entry in listed.entries] == [str(tmp_path / "a")]
    with pytest.raises(GiveUp, match=r"names that begin with \.procos- are the file TDE's own"):
        file(FileInput(operation="list", path=".procos-appends"), context)


def test_every_field_is_described():
    assert [
        f"{model.__name__}.{name}"
        for model in (FileInput, FileOutput, FileConfig, Entry)
        for name, field in model.model_fields.items()
        if not field.description
    ] == []
    assert file.manifest().input_schema["required"] == ["operation", "path"]
    assert json.dumps(file.manifest().output_schema)
    assert base64.b64encode(b"").decode() == ""
