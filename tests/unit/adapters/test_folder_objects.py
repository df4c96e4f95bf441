"""Objects in a folder that is damaged, full, shared, or not ours."""

import asyncio
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from procos.adapters.folder_objects import FolderObjects
from procos.errors import StoreError

pytestmark = pytest.mark.anyio

CONTENT = b"some content"


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "objects ä"


async def test_an_object_is_one_file_that_only_its_owner_reads(folder):
    stored = await FolderObjects(folder).put(CONTENT, media_type="text/plain")

    (file,) = files_in(folder)
    assert file == folder / stored.sha256[:2] / stored.sha256[2:4] / stored.sha256
    assert file.read_bytes() == CONTENT
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, *file.parents[:2])} == {0o700}


async def test_nothing_is_made_before_the_first_object(folder):
    with pytest.raises(StoreError, match="no object"):
        await FolderObjects(folder).get("0" * 64)

    assert not folder.exists()


async def test_the_same_content_is_not_written_again(folder):
    objects = FolderObjects(folder)
    await objects.put(CONTENT, media_type="text/plain")
    (file,) = files_in(folder)
    before = file.stat()
    await FolderObjects(folder).put(CONTENT, media_type="text/plain")

    assert files_in(folder) == [file]
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("damage", [b"some c0ntent", b"", b"some content and more"], ids=repr)
async def test_a_damaged_object_is_refused_and_mended_by_the_same_content(folder, damage):
    objects = FolderObjects(folder)
    stored = await objects.put(CONTENT, media_type="text/plain")
    (file,) = files_in(folder)
    file.write_bytes(damage)

    with pytest.raises(StoreError, match="damaged") as caught:
        await objects.get(stored.sha256)
    assert str(file) in caught.value.message
    await objects.put(CONTENT, media_type="text/plain")
    assert await objects.get(stored.sha256) == CONTENT


async def test_what_a_killed_process_left_goes_after_a_day(folder):
    await FolderObjects(folder).put(CONTENT, media_type="text/plain")
    old, fresh = folder / "unfinished" / "old", folder / "unfinished" / "fresh"
    for file in (old, fresh):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 25 * 3600,) * 2)

    await FolderObjects(folder).put(b"other", media_type="text/plain")

    assert (old.exists(), fresh.exists()) == (False, True)


def test_a_process_killed_in_the_middle_leaves_no_object(folder):
    code = (
        "import os, sys; from pathlib import Path; from procos.adapters.folder_objects import FolderObjects\n"
        "os.fsync = lambda _: os.kill(os.getpid(), 9)\n"
        "FolderObjects(Path(sys.argv[1]))._put(b'x' * 100_000, 'text/plain')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], check=False, timeout=60)
    assert done.returncode == -9
    (left,) = files_in(folder)
    assert left.parent.name == "unfinished"

    objects = FolderObjects(folder)
    stored = asyncio.run(objects.put(b"x" * 100_000, media_type="text/plain"))
    assert asyncio.run(objects.get(stored.sha256)) == b"x" * 100_000


def test_processes_may_write_the_same_objects_at_once(folder):
    code = (
        "import asyncio, sys; from pathlib import Path; from procos.adapters.folder_objects import FolderObjects\n"
        "objects = FolderObjects(Path(sys.argv[1])); print(flush=True); sys.stdin.readline()\n"
        "async def main():\n"
        "    for n in range(50):\n"
        "        stored = await objects.put(b'%d' % n * 5000, media_type='x/y')\n"
        "        assert await objects.get(stored.sha256) == b'%d' % n * 5000\n"
        "asyncio.run(main())"
    )
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    processes = [subprocess.Popen([sys.executable, "-c", code, str(folder)], **pipes) for _ in range(3)]
    assert [process.stdout.readline() for process in processes] == [b"\n"] * 3
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()

    ended = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
    assert ended == [(b"", 0)] * 3
    assert len(files_in(folder)) == 50


def test_a_disk_that_is_full_is_said_and_leaves_nothing(folder):
    # A process may be given a largest size of files: writing then fails in the middle, as on a full disk.
    code = (
        "import resource, sys; from pathlib import Path; from procos.adapters.folder_objects import FolderObjects\n"
        "from procos.errors import StoreError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try:\n    FolderObjects(Path(sys.argv[1]))._put(b'x' * 100_000, 'text/plain')\n"
        "except StoreError as error:\n    print(error.message, '|', error.hint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.startswith(f"cannot store an object of 100,000 bytes in {folder}: File too large | see that")
    assert files_in(folder) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path, error_of):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    message = error_of(
        "from pathlib import Path; from procos.adapters.folder_objects import FolderObjects; "
        f"FolderObjects(Path({str(folder)!r}))._put(b'x', 'text/plain')"
    )

    assert message == f"cannot store an object of 1 bytes in {folder}: Permission denied"


async def test_a_file_where_the_folder_should_be_is_named(tmp_path):
    file = tmp_path / "file"
    file.write_text("")

    with pytest.raises(StoreError, match=f"cannot store .* in {file}"):
        await FolderObjects(file).put(CONTENT, media_type="text/plain")
    with pytest.raises(StoreError, match="cannot read the object"):
        await FolderObjects(file).get("0" * 64)
