"""The TDE `shell`: which programs run, in which folders, with which environment."""

from functools import partial
from pathlib import Path

import pytest

from procos.sdk import GiveUp
from tests.unit.workers.shell_runner import run_shell, script

pytestmark = pytest.mark.anyio


@pytest.fixture
def run(tmp_path: Path):
    return partial(run_shell, tmp_path / "data")


async def test_a_program_that_is_not_there_ends_for_good(run, tmp_path):
    with pytest.raises(GiveUp, match="no program 'no-such-program': it is in no folder of the worker's PATH"):
        await run("no-such-program")
    with pytest.raises(GiveUp, match=f"no program './here': {tmp_path}/data/here is no file that may be executed"):
        await run("./here")


async def test_a_file_that_is_no_program_ends_for_good(run, tmp_path):
    script(tmp_path / "data/wrong", "#!/no/such/interpreter\n")
    with pytest.raises(GiveUp, match=r"'./wrong' .* cannot be started: .*first line"):
        await run("./wrong")
    with pytest.raises(GiveUp, match="cannot be started: Argument list too long"):
        await run("echo", "x" * 3_000_000)


@pytest.mark.parametrize(
    ("programs", "command"),
    [
        ([], "echo"),
        (["ech"], "echo"),
        (["echo"], "./echo"),
        (["echo"], "{data}/echo"),
        (["/bin/*", "/usr/bin/*"], "{data}/echo"),
        (["/usr/*"], "/usr/..{data}/echo"),
        (["tools/*"], "tools/echo"),
    ],
)
async def test_a_program_off_the_allow_list_ends_for_good(run, tmp_path, programs, command):
    data = (tmp_path / "data").resolve()
    script(data / "echo", "#!/bin/sh\necho planted\n")
    script(data / "tools/echo", "#!/bin/sh\necho planted\n")
    with pytest.raises(GiveUp, match=r"not on the allow-list .* under \[tde\.shell\] in procos\.toml: programs = \["):
        await run(command.format(data=data), config={"programs": programs})


@pytest.mark.parametrize(
    ("pattern", "command"),
    [
        ("e?ho", "echo"),
        ("*/echo", "echo"),
        ("{data}/*", "./tool"),
        ("{data}/tool", "{data}/x/../tool"),
        ("*", "./tool"),
    ],
)
async def test_a_program_that_a_pattern_matches_runs(run, tmp_path, pattern, command):
    data = (tmp_path / "data").resolve()
    script(data / "tool", '#!/bin/sh\necho "$@"\n')
    programs = ["git", pattern.format(data=data)]
    assert (await run(command.format(data=data), "hello", config={"programs": programs})).stdout == "hello\n"


async def test_the_path_that_a_task_sets_does_not_choose_the_program(run, tmp_path):
    script(tmp_path / "echo", "#!/bin/sh\nprintf planted\n")
    ended = await run("echo", "real", environment={"PATH": str(tmp_path)}, config={"settable_environment": ["PATH"]})
    assert ended.stdout == "real\n"


async def test_the_default_folder_is_the_data_folder(run, tmp_path):
    assert (await run("pwd", "-P")).stdout.strip() == str((tmp_path / "data").resolve())


async def test_a_folder_is_found_below_any_root(run, tmp_path):
    (tmp_path / "first/a").mkdir(parents=True)
    (tmp_path / "second/b").mkdir(parents=True)
    roots = {"roots": [tmp_path / "first", tmp_path / "second"]}
    for asked, folder in [(None, "first"), ("a", "first/a"), ("b", "second/b"), (f"{tmp_path}/second", "second")]:
        ended = await run("pwd", "-P", working_folder=asked, config=roots)
        assert ended.stdout.strip() == str((tmp_path / folder).resolve())


@pytest.mark.parametrize("asked", ["..", "/", "a/../../x", "link", "link/deeper", "/etc"])
async def test_no_path_leads_out_of_the_roots(run, tmp_path, asked):
    (tmp_path / "data/a").mkdir(parents=True)
    (tmp_path / "outside/deeper").mkdir(parents=True)
    (tmp_path / "data/link").symlink_to(tmp_path / "outside")
    with pytest.raises(GiveUp, match=rf"working_folder '{asked}' is outside .*data\. .*roots under \[tde\.shell\]"):
        await run("pwd", working_folder=asked)


async def test_a_folder_that_is_not_there_or_goes_in_circles_ends_for_good(run, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/circle").symlink_to("circle")
    with pytest.raises(GiveUp, match=r"there is no folder .*data/nowhere"):
        await run("pwd", working_folder="nowhere")
    with pytest.raises(GiveUp, match="'circle' cannot be followed"):
        await run("pwd", working_folder="circle")


async def test_a_program_sees_only_the_named_variables_of_the_worker_and_those_of_the_task(run, monkeypatch):
    monkeypatch.setenv("PLANTED_SECRET", "hunter2")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    for name in ("LANG", "LC_ALL", "LC_CTYPE"):
        monkeypatch.delenv(name, raising=False)
    for limits in ({}, {"memory_mb": 4096}):
        ended = await run("env", environment={"REPORT": "grüße"}, config=limits)
        seen = dict(line.split("=", 1) for line in ended.stdout.splitlines())
        assert seen["REPORT"] == "grüße"
        assert seen["TZ"] == "Europe/Berlin"
        assert set(seen) <= {"PATH", "HOME", "TZ", "TMPDIR", "REPORT"}


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "PYTHONPATH", "BASH_ENV", "NODE_OPTIONS"])
async def test_variables_that_make_programs_load_code_may_not_be_set(run, name):
    with pytest.raises(GiveUp, match=rf"{name} .*settable_environment under \[tde\.shell\]") as refused:
        await run("env", environment={name: "hunter2", "FINE": "x"})
    assert "hunter2" not in str(refused.value)


async def test_the_last_pattern_that_matches_decides_which_variables_a_task_may_set(run):
    settable = {"settable_environment": ["*", "!REPORT_*", "REPORT_YEAR"]}
    assert "REPORT_YEAR=1\n" in (await run("env", environment={"REPORT_YEAR": "1"}, config=settable)).stdout
    with pytest.raises(GiveUp, match="REPORT_DAY"):
        await run("env", environment={"REPORT_DAY": "1"}, config=settable)
    with pytest.raises(GiveUp, match="OTHER"):
        await run("env", environment={"OTHER": "1"}, config={"settable_environment": []})
