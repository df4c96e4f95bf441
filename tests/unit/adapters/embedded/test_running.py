"""Knowing a broker again, and never mistaking another process for it.

A small program stands in for the broker's process: what is looked at is only its command line.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from procos.adapters.embedded import EmbeddedEngine, EngineOptions
from procos.adapters.embedded.folders import EngineFolders
from procos.adapters.embedded.ports import Ports
from procos.adapters.embedded.running import HOME_ARGUMENT, LaunchFacts, find_process, read_facts, write_facts

FACTS = LaunchFacts(pid=None, version="8.6.0", ports=Ports(gateway=26510), started_by="test")


@pytest.fixture
def folders(tmp_path: Path) -> EngineFolders:
    folders = EngineFolders(tmp_path / "home")
    folders.prepare()
    return folders


@pytest.fixture
def engine(tmp_path: Path) -> EmbeddedEngine:
    return EmbeddedEngine(EngineOptions(home=tmp_path / "home", cache=tmp_path / "cache"))


@pytest.fixture
def process_of() -> Iterator[Callable[[EngineFolders], int]]:
    """Starts a process that names a home on its command line, as brokers do; its pid."""
    with ExitStack() as started:

        def start(folders: EngineFolders) -> int:
            waits = [sys.executable, "-c", "print(flush=True); input()", f"{HOME_ARGUMENT}{folders.root}"]
            process = started.enter_context(
                subprocess.Popen(waits, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            started.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
            return process.pid

        yield start


def write_pid(folders: EngineFolders, pid: int | None) -> None:
    write_facts(folders, replace(FACTS, pid=pid))


def test_facts_survive_being_written(folders: EngineFolders):
    write_facts(folders, FACTS)
    assert read_facts(folders) == FACTS


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"pid": 1}', '{"pid": 1, "version": "8", "ports": 3, "started_by": ""}']
)
def test_facts_that_were_damaged_count_as_none(folders: EngineFolders, content: str):
    folders.facts.write_text(content)
    assert read_facts(folders) is None


def test_a_home_without_an_engine_has_no_broker(engine: EmbeddedEngine):
    assert engine.status() is None
    assert engine.stop() is False
    assert engine.tail(10) == []


def test_the_process_that_names_the_home_is_its_broker(folders, engine, process_of):
    pid = process_of(folders)
    write_pid(folders, pid)
    running = engine.status()
    assert running is not None
    assert (running.pid, running.address, running.started_by, running.adopted) == (pid, "127.0.0.1:26510", "test", True)
    assert running.created == psutil.Process(pid).create_time()
    assert running.data_folder == folders.data


def test_a_process_that_got_the_pid_later_is_not_the_broker(folders, engine):
    write_pid(folders, os.getpid())
    assert engine.status() is None
    assert engine.stop() is False


def test_the_broker_of_another_home_is_not_this_one_s_even_when_the_home_was_copied(
    folders, engine, process_of, tmp_path
):
    other = EngineFolders(tmp_path / "other")
    write_pid(folders, process_of(other))
    assert engine.status() is None
    assert engine.stop() is False


def test_a_broker_whose_pid_was_never_noted_is_found(folders, engine, process_of):
    write_pid(folders, None)
    pid = process_of(folders)
    running = engine.status()
    assert running is not None
    assert running.pid == pid


def test_a_broker_without_facts_is_found_to_be_stopped(folders, engine, process_of):
    pid = process_of(folders)
    assert engine.status() is None
    assert engine.stop() is True
    assert find_process(folders) is None
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_stopping_ends_the_process_and_forgets_it(folders, engine, process_of):
    write_pid(folders, process_of(folders))
    assert engine.stop() is True
    assert engine.status() is None
    assert not folders.facts.exists()


def test_the_facts_are_plain_json_for_whoever_looks(folders):
    write_facts(folders, FACTS)
    assert json.loads(folders.facts.read_text()) == asdict(FACTS)


def test_the_tail_is_the_end_of_the_log(folders, engine):
    folders.log.write_text("".join(f"line {number}\n" for number in range(100)))
    assert engine.tail(2) == ["line 98", "line 99"]
