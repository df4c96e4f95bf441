"""A running engine: started by a program that was then killed, and used by everybody who comes after."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from procos.adapters.embedded import EmbeddedEngine, EngineOptions
from procos.errors import EngineError
from tests.engine.embedded.gateway import deploy, run

pytestmark = pytest.mark.engine


@dataclass(frozen=True)
class Orphan:
    """An engine whose starter is dead, and what the starter knew of it."""

    engine: EmbeddedEngine
    home: Path
    facts: dict[str, Any]


@pytest.fixture(scope="module")
def orphan(
    tmp_path_factory: pytest.TempPathFactory, cache: Path, start_elsewhere: Callable[..., Any]
) -> Iterator[Orphan]:
    home = tmp_path_factory.mktemp("orphan") / "a home"
    engine = EmbeddedEngine(EngineOptions(home=home, cache=cache))
    starter = start_elsewhere(home)
    facts = starter.read_facts()
    starter.kill()
    yield Orphan(engine, home, facts)
    assert engine.stop() is True


def test_it_outlives_the_kill_of_its_starter_and_is_adopted(orphan: Orphan):
    running = orphan.engine.start(started_by="somebody else")
    assert (running.pid, running.created) == (orphan.facts["pid"], orphan.facts["created"])
    assert running.adopted
    assert not orphan.facts["adopted"]
    assert running.started_by == "starter"
    assert running.address == orphan.facts["address"]


def test_its_status_is_what_a_start_tells(orphan: Orphan):
    assert orphan.engine.status() == orphan.engine.start(started_by="test")


def test_it_takes_commands_and_logs_every_record(orphan: Orphan, tmp_path: Path):
    address = orphan.facts["address"]
    key = deploy(address, tmp_path)
    assert run(address) == key
    lines = orphan.engine.record_log_path.read_text().splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{")]
    assert [record["position"] for record in records] == list(range(1, len(records) + 1))
    deployed = [record for record in records if (record["valueType"], record["intent"]) == ("PROCESS", "CREATED")]
    assert [record["value"]["bpmnProcessId"] for record in deployed] == ["kept"]


def test_it_listens_on_loopback_only(orphan: Orphan):
    listening = {
        connection.laddr.ip
        for connection in psutil.Process(orphan.facts["pid"]).net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert listening


def test_it_runs_in_a_session_of_its_own(orphan: Orphan):
    assert os.getsid(orphan.facts["pid"]) == orphan.facts["pid"]


def test_it_keeps_its_files_in_the_home(orphan: Orphan, cache: Path):
    folder = orphan.home / "engine"
    assert orphan.facts["data_folder"] == str(folder / "data")
    assert (folder / "data" / "raft-partition").is_dir()
    assert (folder / "data" / ".procos-engine-version").read_text() == "8.6.0\n"
    assert orphan.engine.log_path == folder / "logs" / "engine.log"
    assert any("Starting broker" in line for line in orphan.engine.tail(10_000))
    # Nothing is written next to the distribution, which other homes share.
    assert sorted(path.name for path in (cache / "engines" / "camunda-zeebe-8.6.0").iterdir() if path.is_dir()) == [
        "bin",
        "config",
        "lib",
    ]


def test_another_version_is_not_started_beside_it(orphan: Orphan, cache: Path):
    other = EmbeddedEngine(EngineOptions(home=orphan.home, cache=cache, version="8.5.8"))
    with pytest.raises(
        EngineError, match=r"engine 8\.6\.0 runs in this home \(process \d+\), and 8\.5\.8 was asked for"
    ):
        other.start(started_by="test")


def test_another_pinned_port_is_refused_while_it_runs(orphan: Orphan, cache: Path):
    other = EmbeddedEngine(EngineOptions(home=orphan.home, cache=cache, port=31999))
    with pytest.raises(EngineError, match="runs already with its gateway server on port") as caught:
        other.start(started_by="test")
    assert "procos engine stop" in str(caught.value.hint)


def test_its_own_port_pinned_is_no_conflict(orphan: Orphan, cache: Path):
    port = int(orphan.facts["address"].rpartition(":")[2])
    same = EmbeddedEngine(EngineOptions(home=orphan.home, cache=cache, port=port))
    assert same.start(started_by="test").pid == orphan.facts["pid"]


def test_another_home_does_not_see_it(cache: Path, tmp_path: Path):
    other = EmbeddedEngine(EngineOptions(home=tmp_path, cache=cache))
    assert other.status() is None
    assert other.stop(timedelta(seconds=1)) is False
