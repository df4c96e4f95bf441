"""The file TDE on real folders: write, read, list, delete, exists."""

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from procos.sdk import GiveUp
from procos_workers.file_task import FileConfig
from tests.unit.workers.file_caller import do, names


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


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
