"""A home: its folders, and the kernel's id in it."""

import re
from pathlib import Path

import pytest

from procos.errors import KernelError
from procos.kernel.home import Home


def test_nothing_is_created_before_it_is_prepared(tmp_path):
    home = Home(tmp_path / "home")

    assert home.state_file.parent == home.state
    assert home.tde_folder("http") == home.path / "tde" / "http"
    assert list(tmp_path.iterdir()) == []


def test_preparing_creates_the_folders_and_may_be_repeated(tmp_path):
    home = Home(tmp_path / "deep" / "home")
    home.prepare()
    (home.state / "kept").write_text("x", encoding="utf-8")
    home.prepare()

    assert home.state.is_dir()
    assert home.logs.is_dir()
    assert (home.state / "kept").read_text(encoding="utf-8") == "x"


def test_everything_lies_within_the_home(tmp_path):
    home = Home(tmp_path)
    for path in (home.state, home.logs, home.state_file, home.lock_file, home.catalogue_file, home.kernel_log):
        assert path.is_relative_to(tmp_path)


@pytest.mark.parametrize("at", ["", "state"])
def test_a_file_where_a_folder_should_be_is_named_with_the_mend(tmp_path, at):
    home = Home(tmp_path / "home")
    wrong = home.path / at
    wrong.parent.mkdir(exist_ok=True)
    wrong.write_text("a file", encoding="utf-8")

    with pytest.raises(KernelError) as caught:
        home.prepare()

    assert f"the home folder {wrong} cannot be used: File exists" in caught.value.message
    assert "PROCOS_HOME" in str(caught.value.hint)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, error_of):
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    script = f"from pathlib import Path; from procos.kernel.home import Home; Home(Path({str(home)!r})).prepare()"
    assert error_of(script) == f"the home folder {home} cannot be used: no permission to write"


def test_a_file_system_that_takes_no_folders_is_named():
    with pytest.raises(KernelError, match="the home folder /dev/fd/procos cannot be used"):
        Home(Path("/dev/fd/procos")).prepare()


def test_the_kernels_id_is_made_once_and_kept(tmp_path):
    home = Home(tmp_path)
    home.prepare()
    first = home.kernel_id()

    assert re.fullmatch(r"k[0-9a-f]{8}", first)
    assert home.kernel_id() == first
    assert Home(tmp_path).kernel_id() == first


def test_two_homes_have_two_ids(tmp_path):
    ids = set()
    for name in ("a", "b"):
        home = Home(tmp_path / name)
        home.prepare()
        ids.add(home.kernel_id())

    assert len(ids) == 2


def test_an_id_that_a_crash_left_empty_is_made_anew(tmp_path):
    home = Home(tmp_path)
    home.prepare()
    (home.state / "kernel-id").write_text("", encoding="ascii")

    assert re.fullmatch(r"k[0-9a-f]{8}", home.kernel_id())
    assert home.kernel_id() == home.kernel_id()
