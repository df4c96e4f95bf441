"""`procos worker`: which TDEs, and a process that works until it is told to stop."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from procos.errors import EngineUnavailable, PluginError, SettingsError, UsageError
from procos.sdk import Tde
from procos.settings import Settings
from procos.wiring.worker_process import chosen_tdes, work

MODULE = """
from pydantic import BaseModel
from procos.sdk import tde

class In(BaseModel):
    name: str = ""

@tde({first!r}, description="Does one thing")
def one(data: In) -> None: ...

@tde({second!r}, description="Does another", job_type={job_type!r})
def two(data: In) -> None: ...
"""


def module(folder: Path, name: str, first: str, second: str, *, job_type: str | None = None) -> str:
    file = folder / f"{name}.py"
    file.write_text(MODULE.format(first=first, second=second, job_type=job_type), encoding="utf-8")
    return str(file)


def names(tdes: tuple[Tde[..., object], ...]) -> list[str]:
    return [tde.name for tde in tdes]


@pytest.fixture(autouse=True)
def _same_modules(monkeypatch):
    """What a test loads by its file's name is forgotten."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("wp_"):
            del sys.modules[name]


# Which


def test_without_modules_all_that_are_installed_are_chosen():
    assert {"http", "shell", "file"} <= set(names(chosen_tdes(())))


def test_modules_and_files_give_their_tdes_and_no_others(tmp_path):
    assert names(chosen_tdes([module(tmp_path, "wp_a", "one", "two"), "procos_workers.http"])) == ["one", "two", "http"]


def test_one_of_a_modules_tdes_can_be_chosen(tmp_path):
    assert names(chosen_tdes([module(tmp_path, "wp_b", "one", "two") + ":two"])) == ["two"]


def test_a_tde_that_is_named_twice_is_chosen_once():
    assert names(chosen_tdes(["procos_workers.http", "procos_workers.http:http"])) == ["http"]


@pytest.mark.parametrize(("second", "job_type", "word"), [("one", "tde.other", "one"), ("two", "tde.one", "tde.one")])
def test_two_tdes_of_one_name_or_job_type_are_refused(tmp_path, second, job_type, word):
    with pytest.raises(UsageError) as caught:
        chosen_tdes([module(tmp_path, "wp_c", "one", second, job_type=job_type)])

    assert caught.value.message == f"two of these TDEs are called '{word}'"


def test_a_module_without_tdes_is_said_so():
    with pytest.raises(UsageError, match="json holds no TDE"):
        chosen_tdes(["json"])


def test_a_module_that_cannot_be_loaded_is_said_so(tmp_path):
    file = tmp_path / "wp_broken.py"
    file.write_text("import no_such_thing", encoding="utf-8")

    with pytest.raises(PluginError, match="No module named 'no_such_thing'"):
        chosen_tdes([str(file)])


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(UsageError, match="there is no file"):
        chosen_tdes([str(tmp_path / "none.py")])


# Work


def test_a_wrong_table_is_said_before_anything_starts(tmp_path):
    with pytest.raises(SettingsError, match=r"\[tde.none\]: there is no such TDE"):
        work(Settings(home=tmp_path / "home", address="127.0.0.1:9", tde={"none": {}}), chosen_tdes(()))

    assert not (tmp_path / "home").exists()


def test_without_a_gateway_and_without_an_engine_in_the_home_it_says_so(tmp_path):
    with pytest.raises(EngineUnavailable, match="no engine runs in"):
        work(Settings(home=tmp_path / "home"), chosen_tdes(["procos_workers.http"]))


WORK = """
import sys
from pathlib import Path
from procos.settings import Settings
from procos.wiring.worker_process import chosen_tdes, work

def told(started):
    print([tde.name for tde in started.tdes], started.address, bool(started.monitoring), flush=True)

work(Settings(home=Path(sys.argv[1]), address="127.0.0.1:9"), chosen_tdes(["procos_workers.http"]), on_start=told)
print("ended", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_works_until_it_is_told_to_stop_though_the_gateway_is_away(tmp_path, number):
    with subprocess.Popen(
        [sys.executable, "-c", WORK, str(tmp_path / "home")], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "['http'] 127.0.0.1:9 True"
            process.send_signal(number)
            assert process.stdout.read() == "ended\n"
            assert process.wait(30) == 0
        finally:
            process.kill()
