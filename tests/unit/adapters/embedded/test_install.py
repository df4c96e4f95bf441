"""Fetching, checking and unpacking a distribution from a repository that behaves, and from one that does not."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from procos.adapters.embedded.distribution import DISTRIBUTIONS, install, installed, read_version
from procos.errors import EngineInstallError, UsageError


@pytest.fixture
def try_install(repository, tmp_path):
    def attempt(**changes: Any) -> Path:
        options = {
            "cache": tmp_path / "cache",
            "repository": repository.address,
            "local_repository": tmp_path / "m2",
            "distributions": repository.distributions,
        }
        return install("1.2.3", **(options | changes))

    return attempt


def refusal_of(attempt, **changes: Any) -> EngineInstallError:
    with pytest.raises(EngineInstallError) as caught:
        attempt(**changes)
    return caught.value


def nothing_is_left(cache: Path) -> bool:
    return [path.name for path in (cache / "engines").iterdir() if not path.name.endswith(".lock")] == []


def test_an_engine_is_fetched_and_unpacked_with_programs_that_can_be_run(try_install, tmp_path):
    engine = try_install()
    assert engine == tmp_path / "cache" / "engines" / "camunda-zeebe-1.2.3"
    assert os.access(engine / "bin" / "broker", os.X_OK)
    assert not os.access(engine / "bin" / "broker.bat", os.X_OK)
    assert (engine / "lib" / "zeebe-broker-1.2.3.jar").stat().st_size == 300_000


def test_after_an_install_only_the_engine_is_left(try_install, tmp_path):
    try_install()
    left = [path.name for path in (tmp_path / "cache" / "engines").iterdir() if not path.name.endswith(".lock")]
    assert left == ["camunda-zeebe-1.2.3"]


def test_an_installed_engine_is_found_and_not_fetched_again(try_install, repository, tmp_path):
    assert installed("1.2.3", cache=tmp_path / "cache", distributions=repository.distributions) is None
    first = try_install()
    assert installed("1.2.3", cache=tmp_path / "cache", distributions=repository.distributions) == first
    assert try_install() == first
    assert repository.fetches == 1


def test_an_engine_that_lost_its_start_script_is_installed_again(try_install, repository):
    engine = try_install()
    (engine / "bin" / "broker").unlink()
    assert (try_install() / "bin" / "broker").is_file()
    assert repository.fetches == 2


def test_progress_names_the_steps_and_counts_the_bytes(try_install, repository):
    told: list[tuple[str, int, int]] = []
    try_install(progress=lambda step, done, total: told.append((step, done, total)))
    steps = list(dict.fromkeys(step for step, _, _ in told))
    assert steps == [f"{verb} camunda-zeebe-1.2.3" for verb in ("fetching", "checking", "unpacking")]
    size = repository.distribution.size
    assert [entry for entry in told if entry[0].startswith("fetching")][-1][1:] == (size, size)
    assert told[-1][1] > 300_000


def test_the_local_maven_repository_is_used_when_its_file_is_right(try_install, repository, tmp_path):
    local = tmp_path / "m2" / repository.distribution.repository_path
    local.parent.mkdir(parents=True)
    local.write_bytes(repository.archive)
    try_install()
    assert repository.fetches == 0
    assert local.is_file()


def test_a_damaged_file_in_the_local_maven_repository_is_passed_over(try_install, repository, tmp_path):
    local = tmp_path / "m2" / repository.distribution.repository_path
    local.parent.mkdir(parents=True)
    local.write_bytes(bytes(len(repository.archive)))
    try_install()
    assert repository.fetches == 1


def test_an_empty_sha1_file_in_the_repository_does_no_harm(try_install, repository):
    repository.sha1 = b""
    assert try_install().is_dir()


def test_a_wrong_checksum_is_refused_and_nothing_is_left(try_install, repository, tmp_path):
    true = repository.archive
    repository.archive = true[:-1] + bytes([true[-1] ^ 1])
    error = refusal_of(try_install)
    assert "wrong checksum" in error.message
    assert repository.distribution.sha256 in error.message
    assert "try again" in error.hint
    assert nothing_is_left(tmp_path / "cache")
    repository.archive = true
    assert try_install().is_dir()


def test_a_file_of_another_size_is_refused(try_install, repository, tmp_path):
    repository.archive += b"more"
    assert (
        f"{len(repository.archive)} bytes instead of {repository.distribution.size}" in refusal_of(try_install).message
    )
    assert nothing_is_left(tmp_path / "cache")


def test_a_connection_that_breaks_off_is_told_with_how_far_it_came(try_install, repository, tmp_path):
    repository.break_off_after = 100_000
    error = refusal_of(try_install)
    assert "127.0.0.1 was interrupted after" in error.message
    assert f"of {repository.distribution.size} bytes" in error.message
    assert nothing_is_left(tmp_path / "cache")
    repository.break_off_after = None
    assert try_install().is_dir()


@pytest.mark.parametrize(
    ("status", "message", "hint"),
    [
        (404, "127.0.0.1 has no camunda-zeebe-1.2.3 (HTTP status 404)", "check the address"),
        (403, "127.0.0.1 answered HTTP status 403", "user name and password"),
        (503, "127.0.0.1 answered HTTP status 503", "try again later"),
    ],
)
def test_an_error_status_is_told_with_what_to_do(try_install, repository, status, message, hint):
    repository.status = status
    error = refusal_of(try_install)
    assert message in error.message
    assert hint in error.hint


def test_a_repository_that_answers_no_head_requests_serves_all_the_same(try_install, repository):
    repository.head_status = 405
    assert try_install().is_dir()


def test_a_repository_where_nobody_listens_cannot_be_reached(try_install, tmp_path):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and never listens
        error = refusal_of(try_install, repository=f"http://127.0.0.1:{bound.getsockname()[1]}/maven")
    assert error.message == "the engine cannot be fetched: 127.0.0.1 cannot be reached (Connection refused)"
    assert "PROCOS_MAVEN_REPOSITORY" in error.hint
    assert nothing_is_left(tmp_path / "cache")


def test_a_host_that_does_not_exist_cannot_be_reached(try_install):
    error = refusal_of(try_install, repository="http://no-such-host.invalid/maven")
    assert "no-such-host.invalid cannot be reached" in error.message


def test_the_password_in_a_mirror_address_is_never_told(try_install, repository):
    repository.status = 403
    address = repository.address.replace("http://", "http://me:tell-nobody@")
    error = refusal_of(try_install, repository=address)
    assert "tell-nobody" not in f"{error.message} {error.hint}"


@pytest.mark.parametrize("address", ["maven", "ftp://host/maven", "http:///maven", "http://host:99999/maven"])
def test_a_mirror_that_is_no_web_address_is_refused(try_install, address):
    with pytest.raises(UsageError, match="is not an address"):
        try_install(repository=address)


def test_an_archive_that_holds_something_else_is_refused(try_install, repository, tmp_path, archive_of):
    repository.serve(archive_of("another-folder"))
    assert "holds no camunda-zeebe-1.2.3/bin" in refusal_of(try_install).message
    assert nothing_is_left(tmp_path / "cache")


def test_an_archive_that_is_none_is_refused(try_install, repository, tmp_path):
    repository.serve(b"this is no archive at all")
    assert "cannot be unpacked" in refusal_of(try_install).message
    assert nothing_is_left(tmp_path / "cache")


def test_what_progress_raises_ends_the_install_and_leaves_nothing(try_install, tmp_path):
    class Stopped(Exception):
        pass

    def stop_at_unpacking(step: str, done: int, total: int) -> None:
        if step.startswith("unpacking"):
            raise Stopped

    with pytest.raises(Stopped):
        try_install(progress=stop_at_unpacking)
    assert nothing_is_left(tmp_path / "cache")


def test_an_unknown_version_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match=r"'9\.9\.9' is not known; known are 8\.6\.0, 8\.5\.8"):
        install("9.9.9", cache=tmp_path)


def test_both_versions_name_their_licence():
    assert "development only" in DISTRIBUTIONS["8.6.0"].licence
    assert "Community License" in DISTRIBUTIONS["8.5.8"].licence


def test_a_given_distribution_tells_its_version(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "broker").touch()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "zeebe-broker-client-8.7.1.jar").touch()
    with pytest.raises(UsageError, match="no zeebe-broker jar"):
        read_version(tmp_path)
    (tmp_path / "lib" / "zeebe-broker-8.7.1.jar").touch()
    assert read_version(tmp_path) == "8.7.1"


def test_a_folder_that_holds_no_engine_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"bin/broker or lib is missing"):
        read_version(tmp_path)
