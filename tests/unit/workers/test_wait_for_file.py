"""When a file is there, gone or unchanged for the wait-for TDE, in a real folder."""

import os
from datetime import timedelta

import pytest

from procos.sdk import GiveUp, RetryLater
from tests.unit.workers.waiter import WaitingJob

pytestmark = pytest.mark.anyio


def waiting(folder, path="in/a.csv", **more):
    task = {name: more.pop(name) for name in ("interval", "timeout") if name in more}
    return WaitingJob({"roots": [str(folder)]}, file={"path": path, **more}, **task)


@pytest.fixture
def file(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in" / "a.csv"


async def test_a_file_is_waited_for_until_it_is_there(tmp_path, file):
    job = waiting(tmp_path)
    assert "in/a.csv is not there" in str(await job.check())
    file.write_text("größe")
    assert (await job.check()).finding == "in/a.csv is a file of 7 bytes"


async def test_the_folder_on_the_way_may_be_missing_too(tmp_path):
    assert isinstance(await waiting(tmp_path, "not/yet/there").check(), RetryLater)


async def test_an_absolute_path_and_a_folder_can_be_waited_for(tmp_path, file):
    assert (await waiting(tmp_path, str(file.parent)).check()).finding == f"{file.parent} is a folder"


async def test_a_file_is_waited_for_until_it_is_gone(tmp_path, file):
    file.touch()
    job = waiting(tmp_path, gone=True)
    assert "is a file of 0 bytes" in str(await job.check())
    file.unlink()
    assert (await job.check()).finding == "in/a.csv is not there"


async def test_a_file_that_is_being_written_is_waited_for_until_it_rests(tmp_path, file):
    job = waiting(tmp_path, unchanged_for="PT20S", interval=15)
    await job.check()
    file.write_text("one")
    assert "unchanged for 0 s" in str(await job.check_later(15))
    file.write_text("one two")
    assert "a file of 7 bytes, unchanged for 0 s" in str(await job.check_later(15))
    assert isinstance(await job.check_later(15), RetryLater)
    assert (await job.check_later(6)).checks == 5


async def test_a_file_that_keeps_its_size_but_not_its_time_has_changed(tmp_path, file):
    file.write_text("one")
    job = waiting(tmp_path, unchanged_for=20)
    await job.check()
    file.write_text("two")
    os.utime(file, ns=(1, 1))
    assert "unchanged for 0 s" in str(await job.check_later(30))


async def test_a_file_that_was_replaced_by_another_has_changed(tmp_path, file):
    file.write_text("one")
    job = waiting(tmp_path, unchanged_for=20)
    await job.check()
    other = file.with_name("b")
    other.write_text("two")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    assert "unchanged for 0 s" in str(await job.check_later(30))


async def test_an_old_file_is_looked_at_for_the_whole_time_too(tmp_path, file):
    file.touch()
    os.utime(file, (0, 0))
    assert isinstance(await waiting(tmp_path, unchanged_for=20).check(), RetryLater)


async def test_the_next_check_comes_when_the_file_may_have_rested_long_enough(tmp_path, file):
    file.touch()
    assert (await waiting(tmp_path, unchanged_for=5, interval=60).check()).after == timedelta(seconds=5)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/etc/passwd", r"outside the roots of wait-for .*tde\.wait-for\.roots"),
        ("../x", r"has '\.\.' in it"),
        ("in/link", "is a symlink, and wait-for follows none"),
        ("in/pipe", "is a pipe"),
    ],
)
async def test_what_may_not_be_looked_at_gives_up(tmp_path, file, path, message):
    (tmp_path / "in" / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "in" / "pipe")
    with pytest.raises(GiveUp, match=message):
        await waiting(tmp_path, path).check()


async def test_a_root_that_is_not_there_gives_up(tmp_path):
    with pytest.raises(GiveUp, match=r"is not a folder: make it, or change tde\.wait-for\.roots"):
        await waiting(tmp_path / "none").check()


async def test_without_roots_no_file_is_waited_for():
    with pytest.raises(GiveUp, match=r"set tde\.wait-for\.roots"):
        await WaitingJob(file={"path": "a"}).check()
