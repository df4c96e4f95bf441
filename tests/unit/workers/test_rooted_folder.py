"""No path leads the file TDE out of its roots: not by name, not by symlink, not by a swap at the last moment."""

import errno
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from procos.sdk import GiveUp
from procos_workers.file import file
from procos_workers.file_failure import FileFailed, explain
from procos_workers.file_task import FileAnswer, FileConfig, FileTask
from tests.unit.workers.context import task_context

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


def do(root: Path, operation: str, path: str, *, roots: list[Path] | None = None, **fields) -> FileAnswer:
    given = {"content": "x", **({"to": "elsewhere"} if operation in {"move", "copy"} else {}), **fields}
    task = FileTask.model_validate({"operation": operation, "path": path, **given})
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
        project = Path(__file__).parents[3]
        script = f"""
import os, sys
from pathlib import Path
from procos.sdk import GiveUp
from procos_workers.file import file
from procos_workers.file_task import FileConfig, FileTask
from tests.unit.workers.context import task_context
root = Path({name!r})
if os.geteuid() == 0:
    os.setuid(65534)
try:
    file(FileTask(operation="write", path="locked/a", content="x"), task_context(FileConfig(roots=[root]), root))
except GiveUp as error:
    print(error)
"""
        environment = {**os.environ, "PYTHONPATH": f"{project}:{project / 'workers'}"}
        said = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout
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


# -- swapped between check and use


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads take turns so often that a gap between check and use is hit."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@contextmanager
def flipping(victim: Path, target: Path) -> Iterator[None]:
    """Turns the victim into a symlink to the target and back, as fast as it can, while the block runs."""
    hidden, link = victim.with_name("hidden"), victim.with_name("link")
    link.symlink_to(target)
    stop = threading.Event()

    def flip() -> None:
        while not stop.is_set():
            victim.rename(hidden)
            link.rename(victim)
            victim.rename(link)
            hidden.rename(victim)

    thread = threading.Thread(target=flip)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.usefixtures("eager_threads")
@pytest.mark.parametrize("operation", ["write", "append", "copy", "move", "delete"])
def test_nothing_lands_outside_while_a_folder_is_swapped_for_a_symlink(root, outside, operation):
    (root / "folder").mkdir()
    done = attempts = 0
    # Until enough went through: where every attempt failed, nothing would be proved.
    with flipping(root / "folder", outside):
        while done < 20 or attempts < 400:
            attempts += 1
            (root / "source").write_text("x")
            fields: dict = {"to": f"folder/{attempts}"} if operation in {"copy", "move"} else {}
            path = {"copy": "source", "move": "source", "delete": "folder/secret"}.get(operation, f"folder/{attempts}")
            # A folder that is made where there is none for a moment would stop the flipping.
            fields["create_folders"] = False
            with suppress(GiveUp, FileFailed):
                do(root, operation, path, **fields)
                done += 1
    assert untouched(outside)


@pytest.mark.usefixtures("eager_threads")
def test_nothing_outside_is_read_while_a_folder_is_swapped_for_a_symlink(root, outside):
    (outside / "a").write_text("outside")
    do(root, "write", "folder/a", content="inside")
    seen = []
    with flipping(root / "folder", outside):
        for operation, path in (("read", "folder/a"), ("list", "folder")):
            done = attempts = 0
            while done < 20 or attempts < 400:
                attempts += 1
                with suppress(GiveUp, FileFailed):
                    seen.append(do(root, operation, path))
                    done += 1
    assert {answer.content for answer in seen} == {"inside", None}
    assert {entry.path for answer in seen for entry in answer.entries or []} == {str(root / "folder" / "a")}


@pytest.mark.usefixtures("eager_threads")
def test_nothing_outside_is_touched_while_a_file_is_swapped_for_a_symlink(root, outside):
    (root / "a").write_text("inside")
    seen: dict[str, set] = {"append": set(), "read": set()}
    with flipping(root / "a", outside / "secret"):
        for operation, contents in seen.items():
            done = attempts = 0
            while done < 20 or attempts < 500:
                attempts += 1
                with suppress(GiveUp, FileFailed):
                    contents.add(do(root, operation, "a", content="+").content)
                    done += 1
    assert untouched(outside)
    assert {content.strip("+") for content in seen["read"]} <= {"inside", ""}


def test_a_symlink_that_takes_the_files_name_is_replaced_not_followed(root, outside):
    stop = threading.Event()

    def plant() -> None:
        while not stop.is_set():
            (root / "link").symlink_to(outside / "secret")
            (root / "link").replace(root / "a")

    thread = threading.Thread(target=plant)
    thread.start()
    try:
        for _ in range(300):
            with suppress(GiveUp, FileFailed):
                do(root, "write", "a")
    finally:
        stop.set()
        thread.join()
    assert untouched(outside)
