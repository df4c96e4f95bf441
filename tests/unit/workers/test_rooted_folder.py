"""No path leads the file TDE out of its roots: not by name, not by symlink, not by a swap at the last moment."""

import errno
import os
import socket
import tempfile
from pathlib import Path

import pytest

from procos.sdk import GiveUp
from procos_workers.file import file
from procos_workers.file_failure import FileFailed, explain
from procos_workers.file_task import FileConfig, FileInput, FileOutput
from tests.unit.workers.context import task_context
from tests.unit.workers.fresh_python import run_script

OPERATIONS = ["read", "write", "append", "list", "move", "copy", "delete", "exists"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    return folder


def do(root: Path, operation: str, path: str, *, roots: list[Path] | None = None, **fields) -> FileOutput:
    given = {"content": "x", **({"to": "elsewhere"} if operation in {"move", "copy"} else {}), **fields}
    task = FileInput.model_validate({"operation": operation, "path": path, **given})
    return file(task, task_context(FileConfig(roots=roots or [root]), root.parent / "data"))


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def untouched(outside: Path) -> bool:
    return names(outside) == ["secret"] and (outside / "secret").read_text() == "secret"


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("path", ["../outside/secret", "a/../../outside/secret", "a/..", "..", "./../root/x"])
def test_a_path_with_two_dots_is_refused(root, outside, operation, path):
    with pytest.raises(GiveUp, match=r"has '\.\.' in it: .* under a root of the file TDE \(.*/root\)"):
        do(root, operation, path)
    assert untouched(outside)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_absolute_path_outside_the_roots_is_refused(root, outside, operation):
    for path in (f"{outside}/secret", f"//{outside}/secret", f"{root}x/a", "/", "/etc/passwd"):
        with pytest.raises(GiveUp, match=r"is outside the roots of the file TDE \(.*/root\): .* tde\.file\.roots"):
            do(root, operation, path)
    assert untouched(outside)


@pytest.mark.parametrize("operation", ["move", "copy"])
@pytest.mark.parametrize("to", ["../outside/new", "/{outside}/new", "link/new", "link"])
def test_a_target_outside_the_roots_is_refused(root, outside, operation, to):
    (root / "a").write_text("x")
    (root / "link").symlink_to(outside)
    with pytest.raises(GiveUp):
        do(root, operation, "a", to=to.format(outside=outside))
    assert untouched(outside)
    assert (root / "a").read_text() == "x"


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("path", ["link", "link/secret", "folder/link/secret", "secret", "dangling"])
def test_a_symlink_is_refused_wherever_it_is_on_the_way(root, outside, operation, path):
    (root / "folder").mkdir()
    (root / "link").symlink_to(outside)
    (root / "folder" / "link").symlink_to("../../outside")
    (root / "secret").symlink_to(outside / "secret")
    (root / "dangling").symlink_to(outside / "new")
    with pytest.raises(GiveUp, match=r"is a symlink, and the file TDE follows none; .*/root\)") as caught:
        do(root, operation, path)
    assert f"{operation} {path}" in str(caught.value)
    assert untouched(outside)


def test_a_symlink_inside_the_root_is_refused_too(root):
    (root / "folder").mkdir()
    (root / "link").symlink_to("folder")
    with pytest.raises(GiveUp, match="is a symlink"):
        do(root, "write", "link/a")
    assert names(root / "folder") == []


def test_a_root_that_is_reached_over_a_symlink_may_be_named_either_way(tmp_path, root):
    link = tmp_path / "link"
    link.symlink_to(root)
    for path in ("a", f"{link}/a", f"{root}/a"):
        assert do(root, "write", path, roots=[link]).path == f"{link}/a"
    assert (root / "a").read_text() == "x"


def test_each_root_may_be_used_and_relative_paths_are_below_the_first(tmp_path, root):
    second = tmp_path / "second"
    second.mkdir()
    roots = [root, second]
    do(root, "write", "a", roots=roots)
    do(root, "move", "a", to=f"{second}/b", roots=roots)
    assert (names(root), names(second)) == ([], ["b"])


def test_a_root_that_is_not_there_names_the_setting(root):
    with pytest.raises(GiveUp, match=r"the root .*/gone of the file TDE is not a folder: .* tde\.file\.roots"):
        do(root, "write", "a", roots=[root / "gone"])


@pytest.mark.parametrize("operation", ["write", "append", "read", "move", "copy", "delete"])
def test_the_root_itself_is_no_file(root, operation):
    with pytest.raises(GiveUp, match="is a root of the file TDE: name a file or folder inside it"):
        do(root, operation, ".")
    assert root.is_dir()


@pytest.mark.parametrize("operation", ["read", "write", "append", "copy"])
def test_a_folder_is_no_file(root, operation):
    (root / "a").mkdir()
    with pytest.raises(GiveUp, match=rf"{operation} a.*: {root}/a is a folder"):
        do(root, operation, "a")


def test_a_file_is_no_folder(root):
    (root / "a").write_text("x")
    for operation in ("read", "write", "append"):
        with pytest.raises(GiveUp, match=rf"{operation} a/b: {root}/a is not a folder"):
            do(root, operation, "a/b")


@pytest.mark.parametrize("operation", ["read", "write", "append", "move", "copy", "delete", "exists"])
def test_a_pipe_or_a_socket_is_refused_without_waiting(root, operation, monkeypatch):
    os.mkfifo(root / "pipe")
    # A socket's path has room for about a hundred characters.
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        for name in ("pipe", "socket"):
            with pytest.raises(GiveUp, match=rf"{root}/{name} is a pipe, a socket or a device, not a file"):
                do(root, operation, name)


@pytest.mark.parametrize("operation", ["move", "copy"])
def test_a_pipe_is_no_target(root, operation):
    (root / "a").write_text("x")
    os.mkfifo(root / "pipe")
    with pytest.raises(GiveUp, match="is a pipe"):
        do(root, operation, "a", to="pipe")


def test_a_device_is_refused():
    with pytest.raises(GiveUp, match="/dev/null is a pipe, a socket or a device"):
        do(Path("/dev"), "read", "null")


def test_a_name_that_is_too_long_says_so(root):
    with pytest.raises(GiveUp, match="too long a name"):
        do(root, "write", "a" * 300)


def test_a_folder_without_permission_says_so():
    # As root nothing is forbidden, so the check runs as nobody where it has to.
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "locked").mkdir(mode=0o700)
        (root / "locked").chmod(0o500 if os.geteuid() else 0o700)
        script = f"""
import os, sys
from pathlib import Path
from procos.sdk import GiveUp
from procos_workers.file import file
from procos_workers.file_task import FileConfig, FileInput
from tests.unit.workers.fresh_python import run_script
from tests.unit.workers.context import task_context
root = Path({name!r})
if os.geteuid() == 0:
    os.setuid(65534)
try:
    file(FileInput(operation="write", path="locked/a", content="x"), task_context(FileConfig(roots=[root]), root))
except GiveUp as error:
    print(error)
"""
        said = run_script(script)
    assert "write locked/a: " in said
    assert "has no permission; give it, or choose another folder" in said


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.ENOSPC, FileFailed), (errno.EDQUOT, FileFailed), (errno.EIO, FileFailed), (errno.EROFS, GiveUp)],
)
def test_a_disk_that_may_recover_is_tried_again_and_one_that_will_not_gives_up(code, kind):
    error = explain(OSError(code, os.strerror(code)), where="write a", path="a", roots="/data")
    assert type(error) is kind
    assert str(error).startswith("write a: ")
