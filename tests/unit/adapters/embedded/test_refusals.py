"""What a start refuses before it fetches or starts anything."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import filelock
import pytest

from procos.adapters.embedded import EmbeddedEngine, EngineOptions
from procos.errors import EngineError, UsageError

_START = """
import json, sys
from pathlib import Path
from procos.adapters.embedded import EmbeddedEngine, EngineOptions
from procos.errors import ProcosError
options = EngineOptions(home=Path(sys.argv[1]), cache=Path(sys.argv[1]))
try:
    EmbeddedEngine(options).start(started_by="test")
except ProcosError as error:
    print(json.dumps([type(error).__name__, error.message, error.hint]))
"""


def engine_in(home: Path, **options: Any) -> EmbeddedEngine:
    return EmbeddedEngine(EngineOptions(home=home, cache=home / "cache", **options))


def make_engine_home(folder: Path, script: str = "exit 1") -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "lib").mkdir()
    (folder / "lib" / "zeebe-broker-8.6.0.jar").touch()
    (folder / "bin" / "broker").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin" / "broker").chmod(0o755)
    return folder


def test_an_older_engine_is_kept_off_the_data_of_a_newer_one(tmp_path: Path):
    data = tmp_path / "engine" / "data"
    data.mkdir(parents=True)
    (data / ".procos-engine-version").write_text("8.6.0\n")
    with pytest.raises(EngineError) as caught:
        engine_in(tmp_path, version="8.5.8").start(started_by="test")
    assert f"the data in {data} was written by engine 8.6.0; engine 8.5.8 is older" in caught.value.message
    assert caught.value.hint == "use --engine-version 8.6.0, or another home with --home, or move that folder away"


def test_a_pinned_port_that_is_taken_is_named(tmp_path: Path):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with pytest.raises(EngineError, match=f"port {port}, wanted for the engine's gateway server, is taken by"):
            engine_in(tmp_path, port=port).start(started_by="test")
    assert not (tmp_path / "cache").exists()


def test_an_unknown_version_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match=r"engine version '1\.0\.0' is not known"):
        engine_in(tmp_path, version="1.0.0").start(started_by="test")


def test_an_engine_home_that_holds_no_engine_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="holds no engine"):
        engine_in(tmp_path, engine_home=tmp_path).start(started_by="test")


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path, without_privileges: tuple[str, ...]):
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    done = subprocess.run(
        [*without_privileges, sys.executable, "-c", _START, str(home)], capture_output=True, text=True, check=True
    )
    name, message, hint = json.loads(done.stdout)
    assert name == "EngineError"
    assert message.startswith(f"the engine's folder {home}/engine cannot be used: Permission denied")
    assert "--home" in hint


def test_a_home_that_is_a_file_is_named(tmp_path: Path):
    (tmp_path / "home").touch()
    with pytest.raises(EngineError, match="home/engine cannot be used: Not a directory"):
        engine_in(tmp_path / "home").start(started_by="test")


def test_a_start_that_waits_for_another_one_says_so_and_can_be_ended(tmp_path: Path):
    class Ended(Exception):
        pass

    def end(step: str, done: int, total: int) -> None:
        raise Ended(step)

    home = tmp_path / "home"
    other = make_engine_home(tmp_path / "zeebe")
    (home / "engine").mkdir(parents=True)
    with (
        filelock.FileLock(home / "engine" / "engine.lock"),
        pytest.raises(Ended, match="waiting for another start or stop in this home"),
    ):
        engine_in(home, engine_home=other).start(started_by="test", progress=end)


def test_a_broker_program_that_cannot_be_run_is_named(tmp_path: Path):
    other = make_engine_home(tmp_path / "zeebe")
    (other / "bin" / "broker").chmod(0o644)
    with pytest.raises(EngineError, match="zeebe/bin/broker cannot be started: Permission denied"):
        engine_in(tmp_path / "home", engine_home=other).start(started_by="test")
    assert engine_in(tmp_path / "home").status() is None


def test_a_broker_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path):
    other = make_engine_home(tmp_path / "zeebe", script="echo Error: the disk is gone >&2; exit 1")
    with pytest.raises(EngineError, match=r"engine 8\.6\.0 ended while it started: Error: the disk is gone"):
        engine_in(tmp_path / "home", engine_home=other).start(started_by="test")
    assert not (tmp_path / "home" / "engine" / "engine.json").exists()
