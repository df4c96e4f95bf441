"""The file TDE on real folders: what each operation does, and that it may be repeated."""

import base64
import hashlib
import json
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from procos.sdk import GiveUp
from procos_workers.file import file
from procos_workers.file_task import Entry, FileAnswer, FileConfig, FileTask
from tests.unit.workers.context import task_context


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def do(
    root: Path, operation: str, path: str, *, config: FileConfig | None = None, job: int = 7, **fields
) -> FileAnswer:
    task = FileTask.model_validate({"operation": operation, "path": path, **fields})
    settings = config or FileConfig(roots=[root])
    return file(task, task_context(settings, root.parent / "data", job_key=job))


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


# -- write and read


def test_a_text_is_written_and_read(root):
    written = do(root, "write", "reports/a.txt", content="größe\n")
    target = root / "reports" / "a.txt"
    assert target.read_bytes() == "größe\n".encode()
    assert written.model_dump(exclude_unset=True) == {
        "path": str(target),
        "uri": target.as_uri(),
        "exists": True,
        "size_bytes": 8,
        "sha256": hashlib.sha256("größe\n".encode()).hexdigest(),
    }
    assert do(root, "read", str(target)) == written.model_copy(update={"content": "größe\n"})


def test_json_is_written_indented_as_given_with_a_line_end(root):
    do(root, "write", "a.json", content={"b": ["ä", None], "a": 1.5}, format="json")
    assert (root / "a.json").read_text() == '{\n  "b": [\n    "ä",\n    null\n  ],\n  "a": 1.5\n}\n'
    assert do(root, "read", "a.json", format="json").content == {"b": ["ä", None], "a": 1.5}


def test_json_null_is_a_content(root):
    do(root, "write", "null.json", content=None, format="json")
    assert (root / "null.json").read_text() == "null\n"


def test_bytes_are_written_and_read_in_base64(root):
    do(root, "write", "a.bin", content="AP8=", format="base64")
    assert (root / "a.bin").read_bytes() == b"\x00\xff"
    assert do(root, "read", "a.bin", format="base64").content == "AP8="


def test_json_with_a_byte_order_mark_is_read(root):
    (root / "a.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert do(root, "read", "a.json", format="json").content == {"a": 1}


def test_a_new_file_may_be_read_by_all_unless_the_umask_forbids(root):
    script = f"""
import os
from pathlib import Path
from procos_workers.file import file
from procos_workers.file_task import FileConfig, FileTask
from tests.unit.workers.context import task_context
root = Path({str(root)!r})
for name, umask in (("a", 0o000), ("b", 0o027)):
    os.umask(umask)
    file(FileTask(operation="write", path=f"new{{name}}/{{name}}", content="x"),
         task_context(FileConfig(roots=[root]), root))
"""
    _run_python(script)
    modes = [stat.S_IMODE((root / path).stat().st_mode) for path in ("newa", "newa/a", "newb", "newb/b")]
    assert modes == [0o755, 0o644, 0o750, 0o640]


def test_writing_replaces_the_file_as_a_whole(root):
    (root / "a").write_text("a much longer old content")
    before = (root / "a").stat().st_ino
    do(root, "write", "a", content="new")
    assert (root / "a").read_text() == "new"
    assert (root / "a").stat().st_ino != before, "the old file has to stay whole for who reads it"
    assert names(root) == ["a"]


def test_readers_see_the_old_content_or_the_new_never_half(root):
    contents = ["x" * 300_000, "y" * 300_000]
    do(root, "write", "a", content=contents[0])
    done = threading.Event()

    def writes() -> None:
        for number in range(60):
            do(root, "write", "a", content=contents[number % 2])
        done.set()

    seen = set()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(writes)
        while not done.is_set():
            seen.add((root / "a").read_text())
        running.result()
    assert seen <= set(contents)
    assert names(root) == ["a"]


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(root):
    (root / "a").write_text("old")
    failed = _run_python(_limited(root, "write"))
    assert "FileFailed: write a: no space is left for " in failed
    assert "What was there before is unchanged" in failed
    assert (root / "a").read_text() == "old"
    assert names(root) == ["a"]


def test_an_append_that_fails_leaves_the_old_content(root):
    (root / "a").write_text("old")
    assert "FileFailed: append a: no space is left" in _run_python(_limited(root, "append"))
    assert (root / "a").read_text() == "old"


def _limited(root: Path, operation: str) -> str:
    return f"""
import resource
from pathlib import Path
from procos_workers.file import file
from procos_workers.file_task import FileConfig, FileTask
from tests.unit.workers.context import task_context
root = Path({str(root)!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    file(FileTask(operation={operation!r}, path="a", content="x" * 300_000),
         task_context(FileConfig(roots=[root]), root.parent / "data"))
except Exception as error:
    print(type(error).__name__ + ": " + str(error))
"""


def _run_python(script: str) -> str:
    project = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{project}:{project / 'workers'}"}
    ended = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_file_that_may_not_be_overwritten_stays(root):
    (root / "a").write_text("old")
    with pytest.raises(GiveUp, match=r"write a: .*/a is there already; .*'overwrite'"):
        do(root, "write", "a", content="new", overwrite=False)
    assert (root / "a").read_text() == "old"
    assert names(root) == ["a"]


def test_a_write_without_overwrite_may_be_repeated(root):
    first = do(root, "write", "a", content="new", overwrite=False)
    assert do(root, "write", "a", content="new", overwrite=False) == first
    assert names(root) == ["a"]


def test_of_many_writers_that_may_not_overwrite_one_wins(root):
    def attempt(number: int) -> bool:
        try:
            do(root, "write", "a", content=f"{number}", overwrite=False)
        except GiveUp:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        won = [number for number, wins in enumerate(pool.map(attempt, range(40))) if wins]
    assert [(root / "a").read_text()] == [str(number) for number in won]


def test_folders_are_made_only_if_wanted(root):
    with pytest.raises(GiveUp, match=rf"write new/a: {root}/new is not there"):
        do(root, "write", "new/a", content="x", create_folders=False)
    assert names(root) == []


# -- append


def test_appending_adds_to_the_end_and_makes_the_file(root):
    do(root, "append", "log/a.log", content="one\n", job=1)
    answer = do(root, "append", "log/a.log", content={"n": 2}, format="json", job=2)
    text = 'one\n{"n": 2}\n'
    assert (root / "log" / "a.log").read_text() == text
    assert (answer.size_bytes, answer.sha256) == (len(text), hashlib.sha256(text.encode()).hexdigest())


def test_a_repeated_append_adds_once_even_with_others_in_between(root):
    do(root, "append", "a", content="line\n", job=1)
    do(root, "append", "a", content="line\n", job=2)
    do(root, "append", "a", content="line\n", job=1)
    do(root, "append", "a", content="line\n", job=2)
    assert (root / "a").read_text() == "line\nline\n"


def test_an_append_that_was_stopped_in_the_middle_is_made_whole(root):
    do(root, "append", "a", content="one\n", job=1)
    do(root, "append", "a", content="two\n", job=2)
    with (root / "a").open("r+b") as stream:
        stream.truncate(6)
    do(root, "append", "a", content="two\n", job=2)
    assert (root / "a").read_text() == "one\ntwo\n"


def test_an_append_that_was_stopped_before_it_wrote_is_written_after_what_came_since(root):
    do(root, "append", "a", content="same\n", job=1)
    (root / "a").write_text("")  # job 1 had noted its place, and was stopped
    do(root, "append", "a", content="same\n", job=2)
    do(root, "append", "a", content="same\n", job=1)
    assert (root / "a").read_text() == "same\nsame\n"


def test_appends_at_the_same_time_lose_nothing(root):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda job: do(root, "append", "a", content=f"{job}\n", job=job), range(200)))
    assert sorted(map(int, (root / "a").read_text().split())) == list(range(200))


def test_a_job_that_runs_twice_at_once_appends_once(root):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda run: do(root, "append", "a", content=f"{run // 4}\n", job=run // 4), range(160)))
    assert sorted(map(int, (root / "a").read_text().split())) == list(range(40))


# -- list


def test_a_folder_is_listed_with_sizes_and_times(root):
    (root / "b").mkdir()
    (root / "b" / "c.json").write_text("{}")
    (root / "a.json").write_text("[1]")
    os.utime(root / "a.json", (0, 0))
    answer = do(root, "list", "")
    assert [(entry.path, entry.size_bytes, entry.is_folder) for entry in answer.entries] == [
        (str(root / "a.json"), 3, False),
        (str(root / "b"), 0, True),
    ]
    assert answer.entries[0].model_dump(mode="json")["modified"] == "1970-01-01T00:00:00Z"
    assert (answer.path, answer.exists) == (str(root), True)


def test_a_listing_takes_a_pattern_and_goes_into_subfolders(root):
    for path in ("a.json", "b.txt", "x/c.json", "x/y/d.json"):
        do(root, "write", path, content="")
    listed = do(root, "list", ".", pattern="*.json", recursive=True)
    assert [entry.path for entry in listed.entries] == [str(root / p) for p in ("a.json", "x/c.json", "x/y/d.json")]
    assert [entry.path for entry in do(root, "list", "x", pattern="[cy]*").entries] == [
        str(root / "x" / "c.json"),
        str(root / "x" / "y"),
    ]


def test_symlinks_special_files_and_the_tdes_own_files_are_not_listed(root, tmp_path):
    (tmp_path / "secret").write_text("x")
    (root / "link").symlink_to(tmp_path)
    (root / "loop").symlink_to(".")
    os.mkfifo(root / "pipe")
    (root / ".procos-0.tmp").write_text("")
    (root / ".hidden").write_text("")
    assert [entry.path for entry in do(root, "list", "/" + str(root), recursive=True).entries] == [
        str(root / ".hidden")
    ]


def test_a_name_that_is_not_utf8_is_left_out_of_a_listing_and_logged(root, caplog):
    (Path(os.fsdecode(os.fsencode(root) + b"/\xff"))).write_text("")
    assert do(root, "list", ".").entries == []
    assert "is not UTF-8 and left out" in caplog.text


def test_a_listing_that_is_too_long_is_refused(root):
    for number in range(3):
        (root / str(number)).write_text("")
    assert len(do(root, "list", ".", config=FileConfig(roots=[root], max_entries=3)).entries) == 3
    with pytest.raises(GiveUp, match=r"more than 2 entries; narrow 'pattern'"):
        do(root, "list", ".", config=FileConfig(roots=[root], max_entries=2))


def test_a_file_is_not_listed(root):
    (root / "a").write_text("")
    with pytest.raises(GiveUp, match=rf"list a: {root}/a is not a folder"):
        do(root, "list", "a")


# -- move and copy


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_file_is_moved_and_the_move_may_be_repeated(root, overwrite):
    do(root, "write", "in/a", content="x")
    first = do(root, "move", "in/a", to="out/new/b", overwrite=overwrite)
    assert (names(root / "in"), (root / "out/new/b").read_text()) == ([], "x")
    assert first.model_dump(exclude_unset=True) == {
        "path": str(root / "out/new/b"),
        "uri": (root / "out/new/b").as_uri(),
        "exists": True,
        "size_bytes": 1,
        "sha256": hashlib.sha256(b"x").hexdigest(),
    }
    assert do(root, "move", "in/a", to="out/new/b", overwrite=overwrite) == first


def test_a_folder_is_moved_with_what_is_in_it_but_replaces_nothing(root):
    do(root, "write", "a/x", content="x")
    assert do(root, "move", "a", to="b/c").exists
    assert (root / "b/c/x").read_text() == "x"
    (root / "d").mkdir()
    with pytest.raises(GiveUp, match=rf"move b/c to d: {root}/d is there already"):
        do(root, "move", "b/c", to="d")
    with pytest.raises(GiveUp, match="cannot be moved into itself"):
        do(root, "move", "b", to="b/c/d")


def test_a_move_replaces_a_file_only_if_it_may(root):
    do(root, "write", "a", content="new")
    do(root, "write", "b", content="old")
    with pytest.raises(GiveUp, match="b is there already"):
        do(root, "move", "a", to="b", overwrite=False)
    assert ((root / "a").read_text(), (root / "b").read_text()) == ("new", "old")
    do(root, "move", "a", to="b")
    assert (names(root), (root / "b").read_text()) == (["b"], "new")


def test_a_move_that_was_stopped_in_the_middle_is_finished(root):
    do(root, "write", "a", content="x")
    os.link(root / "a", root / "b")
    do(root, "move", "a", to="b", overwrite=False)
    assert names(root) == ["b"]


def test_moving_a_file_onto_itself_keeps_it(root):
    do(root, "write", "a", content="x")
    for overwrite in (True, False):
        do(root, "move", "a", to=str(root / "a"), overwrite=overwrite)
        do(root, "copy", "a", to="./a", overwrite=overwrite)
    assert (names(root), (root / "a").read_text()) == (["a"], "x")


def test_a_move_to_another_file_system_takes_the_content_along(root):
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == root.stat().st_dev:
        pytest.skip("there is no second file system at /dev/shm")
    target = elsewhere / f"procos-test-{os.getpid()}"
    target.mkdir()
    config = FileConfig(roots=[root, target])
    try:
        for overwrite in (True, False):
            do(root, "write", "a", content=f"{overwrite}")
            do(root, "move", "a", to=str(target / "a"), config=config, overwrite=True)
            do(root, "write", "b", content="x", config=config)
            do(root, "move", "b", to=str(target / f"b{overwrite}"), config=config, overwrite=False)
            assert (names(root), (target / "a").read_text()) == ([], f"{overwrite}")
            assert (target / f"b{overwrite}").read_text() == "x"
        (root / "folder").mkdir()
        with pytest.raises(GiveUp, match="would move to another file system; copy its files one by one"):
            do(root, "move", "folder", to=str(target / "folder"), config=config)
    finally:
        for name in names(target):
            (target / name).unlink()
        target.rmdir()


def test_a_file_larger_than_any_variable_is_moved_and_copied(root):
    (root / "big").write_bytes(b"x" * 3000)
    config = FileConfig(roots=[root], max_bytes=1000)
    copied = do(root, "copy", "big", to="copy", config=config)
    assert (copied.size_bytes, copied.sha256) == (3000, hashlib.sha256(b"x" * 3000).hexdigest())
    moved = do(root, "move", "copy", to="moved", config=config)
    assert (moved.size_bytes, moved.sha256) == (3000, None)


def test_a_file_is_copied_and_the_copy_may_be_repeated(root):
    do(root, "write", "a", content="x")
    first = do(root, "copy", "a", to="c/b", overwrite=False)
    assert do(root, "copy", "a", to="c/b", overwrite=False) == first
    assert ((root / "a").read_text(), (root / "c/b").read_text()) == ("x", "x")
    do(root, "write", "a", content="y")
    with pytest.raises(GiveUp, match="b is there already"):
        do(root, "copy", "a", to="c/b", overwrite=False)
    do(root, "copy", "a", to="c/b")
    assert (root / "c/b").read_text() == "y"
    assert names(root / "c") == ["b"]


@pytest.mark.parametrize("operation", ["move", "copy"])
def test_a_source_that_was_never_there_is_an_error(root, operation):
    with pytest.raises(GiveUp, match=rf"{operation} a to b: .*a is not there; check the path"):
        do(root, operation, "a", to="b")
    with pytest.raises(GiveUp, match=f"{operation} a: there is no 'to'"):
        do(root, operation, "a")


def test_a_move_of_nothing_is_fine_if_that_is_ok(root):
    assert do(root, "move", "gone/a", to="b", missing_ok=True).exists is False


# -- delete and exists


def test_a_file_and_an_empty_folder_are_deleted_and_the_deletion_may_be_repeated(root):
    do(root, "write", "a/b", content="x")
    with pytest.raises(GiveUp, match=r"delete a: .*a is a folder that is not empty"):
        do(root, "delete", "a")
    assert [do(root, "delete", path).exists for path in ("a/b", "a/b", "a", "a", "a/b")] == [False] * 5
    assert names(root) == []


def test_deleting_what_is_not_there_is_an_error_if_the_task_says_so(root):
    with pytest.raises(GiveUp, match=rf"delete a: {root}/a is not there"):
        do(root, "delete", "a", missing_ok=False)


def test_exists_says_what_is_there(root):
    do(root, "write", "a/b", content="xyz")
    answers = [do(root, "exists", path) for path in ("a/b", "a", "", "c", "c/d", "a/b/c")]
    assert [(answer.exists, answer.size_bytes) for answer in answers] == [
        (True, 3),
        (True, None),
        (True, None),
        (False, None),
        (False, None),
        (False, None),
    ]


# -- limits, formats, errors of the task


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
        FileTask.model_validate({"operation": "list", "path": "a", **fields})


def test_a_wrong_type_is_refused_without_showing_the_content():
    with pytest.raises(ValidationError) as caught:
        FileTask.model_validate({"operation": "write", "path": ["geheim"], "content": "geheim"})
    assert "geheim" not in str(caught.value)
    assert "geheim" not in repr(FileTask(operation="write", path="a", content="geheim"))


@pytest.mark.parametrize("wrong", ["relative", "/a/../b"])
def test_a_root_is_an_absolute_path(wrong):
    with pytest.raises(ValidationError, match="write the root as an absolute path"):
        FileConfig(roots=[wrong])


def test_without_roots_the_data_folder_is_the_root_and_is_made(tmp_path):
    task = FileTask(operation="write", path="a", content="x")
    assert file(task, task_context(FileConfig(), tmp_path / "data" / "file")).exists
    assert (tmp_path / "data" / "file" / "a").read_text() == "x"


def test_the_tdes_own_files_do_not_show_in_its_data_folder(tmp_path):
    context = task_context(FileConfig(), tmp_path)
    file(FileTask(operation="append", path="a", content="x"), context)
    listed = file(FileTask(operation="list", path="", recursive=True), context)
    assert [entry.path for entry in listed.entries] == [str(tmp_path / "a")]
    with pytest.raises(GiveUp, match=r"names that begin with \.procos- are the file TDE's own"):
        file(FileTask(operation="list", path=".procos-appends"), context)


def test_every_field_is_described():
    assert [
        f"{model.__name__}.{name}"
        for model in (FileTask, FileAnswer, FileConfig, Entry)
        for name, field in model.model_fields.items()
        if not field.description
    ] == []
    assert file.manifest().input_schema["required"] == ["operation", "path"]
    assert json.dumps(file.manifest().output_schema)
    assert base64.b64encode(b"").decode() == ""
