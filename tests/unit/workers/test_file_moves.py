"""The file TDE moves and copies, and may do so twice."""

import hashlib
import os
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
    assert elsewhere.stat().st_dev != root.stat().st_dev, "this test needs a second file system at /dev/shm"
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
