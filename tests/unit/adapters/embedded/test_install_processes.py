"""Installing from several processes, from one that is killed, on a full disk, and where writing is not allowed."""

import os
import shutil
import signal

import pytest


def test_two_processes_share_one_fetch(installer, repository, tmp_path):
    repository.hold_after = 100_000
    first = installer.start(tmp_path)
    assert repository.held.wait(60)
    second = installer.start(tmp_path)
    assert second.stdout.readline() == "waiting for another fetch\n"
    repository.go_on.set()
    ends = [process.communicate(timeout=60)[0].splitlines()[-1] for process in (first, second)]
    assert ends[0] == ends[1]
    assert '"engine":' in ends[0]
    assert repository.fetches == 1


def test_a_fetch_that_was_killed_leaves_no_engine_and_the_next_one_succeeds(installer, repository, tmp_path):
    repository.hold_after = 100_000
    process = installer.start(tmp_path)
    assert repository.held.wait(60)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    left = [path.name for path in (tmp_path / "engines").iterdir() if not path.name.endswith(".lock")]
    assert len(left) == 1
    assert left[0].startswith(".camunda-zeebe-1.2.3.part-")
    repository.hold_after = None
    assert "lib" in installer.run(tmp_path)["files"]
    left = [path.name for path in (tmp_path / "engines").iterdir() if not path.name.endswith(".lock")]
    assert left == ["camunda-zeebe-1.2.3"]
    assert repository.fetches == 2


def test_a_refusal_that_shows_only_when_fetching_is_told(installer, repository, tmp_path):
    repository.head_status = 405
    repository.status = 403
    outcome = installer.run(tmp_path)
    assert outcome["error"] == "EngineInstallError"
    assert "127.0.0.1 answered an error" in outcome["message"]


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(installer, repository, small_disk, archive_of):
    repository.serve(archive_of("camunda-zeebe-1.2.3"), unpacked_size=50_000_000)
    under, disk = small_disk(4)
    outcome = installer.run(disk, under=under)
    assert outcome["error"] == "EngineInstallError"
    assert f"it needs 50 MB in {disk}/engines, 4 MB are free" in outcome["message"]
    assert "PROCOS_CACHE" in outcome["hint"]
    assert repository.fetches == 0


def test_a_disk_that_becomes_full_while_fetching_is_told(installer, repository, small_disk):
    under, disk = small_disk(4)
    repository.serve(os.urandom(8_000_000), size=1, unpacked_size=0)
    outcome = installer.run(disk, under=under)
    assert "the disk became full while the engine was installed" in outcome["message"]
    assert "free some space" in outcome["hint"]
    assert repository.fetches == 1


def test_a_disk_that_becomes_full_while_unpacking_is_told(installer, repository, small_disk, archive_of):
    under, disk = small_disk(4)
    archive = archive_of("camunda-zeebe-1.2.3", content={"bin/broker": b"", "lib/much.jar": bytes(8_000_000)})
    repository.serve(archive, unpacked_size=0)
    outcome = installer.run(disk, under=under)
    assert "the disk became full while the engine was installed" in outcome["message"]
    assert outcome["error"] == "EngineInstallError"


def test_a_cache_that_cannot_be_written_is_named(installer, tmp_path, without_privileges):
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o555)
    outcome = installer.run(cache, under=without_privileges)
    assert outcome["error"] == "EngineInstallError"
    assert f"no permission to write in {cache}/engines" in outcome["message"]
    assert "PROCOS_CACHE" in outcome["hint"]


def test_a_cache_that_is_a_file_is_named(installer, tmp_path):
    (tmp_path / "cache").touch()
    outcome = installer.run(tmp_path / "cache")
    assert f"cannot be installed in {tmp_path}/cache/engines" in outcome["message"]


@pytest.mark.parametrize("program", ["unshare", "setpriv"])
def test_the_programs_that_these_tests_need_are_here(program):
    assert shutil.which(program), f"install {program} (util-linux)"
