"""Starts that go well, starts that meet each other, and starts that are cut short."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from procos.adapters.embedded import EmbeddedEngine, EngineOptions
from procos.adapters.embedded.folders import EngineFolders
from procos.adapters.embedded.running import read_facts
from procos.errors import EngineError
from tests.engine.embedded.gateway import deploy, run

pytestmark = pytest.mark.engine


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def test_data_survives_a_restart_on_other_ports_and_is_kept_from_an_older_engine(
    engine: EmbeddedEngine, home: Path, cache: Path, tmp_path: Path
):
    first = engine.start(started_by="test")
    assert not first.adopted
    key = deploy(first.address, tmp_path)
    assert engine.stop() is True
    assert engine.status() is None
    older = EmbeddedEngine(EngineOptions(home=home, cache=cache, version="8.5.8"))
    with pytest.raises(EngineError, match=r"was written by engine 8\.6\.0; engine 8\.5\.8 is older"):
        older.start(started_by="test")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port_of(first.address)))
        taken.listen()
        second = engine.start(started_by="test")
        assert second.pid != first.pid
        assert port_of(second.address) > port_of(first.address)
        assert run(second.address) == key


def test_a_broker_whose_starter_was_killed_before_it_was_ready_is_adopted(
    engine: EmbeddedEngine, home: Path, start_elsewhere: Callable[..., Any]
):
    starter = start_elsewhere(home)
    while starter.read_step() != "waiting for the engine to become ready":
        pass
    starter.kill()
    begun = engine.status()
    assert begun is not None
    running = engine.start(started_by="test")
    if running.adopted:
        assert running.pid == begun.pid
    else:  # nobody kept its ports for it any more, and an engine of another test took one: then it has to be replaced
        assert "Application run failed" in engine.log_path.read_text(encoding="utf-8")
        assert not psutil.pid_exists(begun.pid)
    assert (running.data_folder / ".procos-engine-version").is_file()
    topology = httpx.get(f"http://{running.rest_address}/v2/topology", trust_env=False).json()
    assert topology["brokers"][0]["partitions"][0]["role"] == "leader"


def test_a_broker_that_lost_a_port_after_its_starter_was_killed_is_replaced(
    engine: EmbeddedEngine, home: Path, start_elsewhere: Callable[..., Any]
):
    starter = start_elsewhere(home)
    while starter.read_step() != "waiting for the engine to become ready":
        pass
    starter.kill()
    lost, facts = engine.status(), read_facts(EngineFolders(home))
    assert lost is not None
    assert facts is not None
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", facts.ports.command))
        thief.listen()
        running = engine.start(started_by="test")
    assert not running.adopted
    assert running.pid != lost.pid
    assert not psutil.pid_exists(lost.pid)


def test_a_broker_that_nobody_knows_the_ports_of_is_replaced(
    engine: EmbeddedEngine, home: Path, start_elsewhere: Callable[..., Any], processes_of: Callable[[Path], list[int]]
):
    starter = start_elsewhere(home)
    while starter.read_step() != "waiting for the engine to become ready":
        pass
    starter.kill()
    lost = engine.status()
    assert lost is not None
    (home / "engine" / "engine.json").unlink()
    running = engine.start(started_by="test")
    assert not running.adopted
    assert running.pid != lost.pid
    assert processes_of(home) == [running.pid]


def test_two_programs_that_start_at_once_share_one_broker(
    home: Path, start_elsewhere: Callable[..., Any], processes_of: Callable[[Path], list[int]]
):
    starters = [start_elsewhere(home), start_elsewhere(home)]
    facts = [starter.read_facts() for starter in starters]
    assert facts[0]["pid"] == facts[1]["pid"]
    assert sorted(each["adopted"] for each in facts) == [False, True]
    for starter in starters:
        starter.kill()
    assert processes_of(home) == [facts[0]["pid"]]


def test_a_port_that_is_lost_while_the_engine_starts_is_replaced(engine: EmbeddedEngine, home: Path):
    folders = EngineFolders(home)
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        def take_port(step: str, done: int, total: int) -> None:
            if step.startswith("waiting") and thief.getsockname()[1] == 0:
                facts = read_facts(folders)
                assert facts is not None
                thief.bind(("127.0.0.1", facts.ports.command))
                thief.listen()

        running = engine.start(started_by="test", progress=take_port)
        facts = read_facts(folders)
        assert facts is not None
        assert facts.ports.command != thief.getsockname()[1] != 0
        assert running.pid == facts.pid


def test_the_8_5_engine_in_a_given_folder_starts_with_a_clock_that_can_be_moved(
    home: Path, cache: Path, tmp_path: Path
):
    engine_home = EmbeddedEngine(EngineOptions(home=home, cache=cache, version="8.5.8")).install()
    options = EngineOptions(home=home, cache=tmp_path / "unused", engine_home=engine_home, clock_controlled=True)
    engine = EmbeddedEngine(options)
    running = engine.start(started_by="test")
    assert running.version == "8.5.8"
    key = deploy(running.address, tmp_path)
    assert run(running.address) == key
    moved = httpx.post(
        f"http://{running.monitoring_address}/actuator/clock/pin", json={"epochMilli": 1900000000000}, trust_env=False
    ).json()
    assert moved["epochMilli"] == 1900000000000
    assert engine.record_log_path.stat().st_size > 0
    assert not (tmp_path / "unused").exists()
    assert engine.stop() is True
