"""Nothing outside the roots is touched when a symlink takes a place between check and use."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from procos.sdk import GiveUp
from procos_workers.file import file
from procos_workers.file_failure import FileFailed
from procos_workers.file_task import FileConfig, FileInput, FileOutput
from tests.unit.workers.context import task_context


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
