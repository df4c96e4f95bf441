"""The real engine, started and stopped by the tests themselves."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from procos.adapters.embedded import EmbeddedEngine, EngineOptions
from procos.settings import load

STARTER = Path(__file__).with_name("starter.py")


@pytest.fixture(scope="session")
def cache() -> Path:
    """The user's own cache: an engine is fetched once, whoever needs it first."""
    return load({}).values.cache


@pytest.fixture
def home(tmp_path: Path, cache: Path) -> Iterator[Path]:
    # With a space, which must not trouble the start script.
    home = tmp_path / "a home"
    yield home
    EmbeddedEngine(EngineOptions(home=home, cache=cache)).stop()


@pytest.fixture
def engine(home: Path, cache: Path) -> EmbeddedEngine:
    return EmbeddedEngine(EngineOptions(home=home, cache=cache))


@pytest.fixture
def processes_of() -> Callable[[Path], list[int]]:
    """Every process that has anything to do with a home, judged by its command line alone."""

    # Not those under which the tests run: pytest may have been given the folder, too.
    family = {psutil.Process().pid, *(parent.pid for parent in psutil.Process().parents())}

    def find(home: Path) -> list[int]:
        return [
            process.pid
            for process in psutil.process_iter(["cmdline"])
            if any(str(home) in argument for argument in process.info["cmdline"] or ()) and process.pid not in family
        ]

    return find


@pytest.fixture
def left_of(processes_of: Callable[[Path], list[int]]) -> Callable[[Path], list[int]]:
    """What is left of a home's processes; one that has its signal already may take a moment to be gone."""

    def find(home: Path) -> list[int]:
        found = [psutil.Process(pid) for pid in processes_of(home) if psutil.pid_exists(pid)]
        return [process.pid for process in psutil.wait_procs(found, timeout=5)[1]]

    return find


class Starter:
    """A program that starts the engine of a home, then waits; its lines are the steps, then the facts as JSON."""

    def __init__(self, home: Path, cache: Path, **options: Any) -> None:
        arguments = {"home": str(home), "cache": str(cache), **options}
        self.process = subprocess.Popen(
            [sys.executable, str(STARTER), json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read_step(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def read_facts(self) -> dict[str, Any]:
        while (line := self.read_step()) and not line.startswith("{"):
            pass
        facts: dict[str, Any] = json.loads(line)
        return facts

    def kill(self) -> None:
        """SIGKILL: it can tidy nothing up."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def start_elsewhere(cache: Path) -> Iterator[Callable[..., Starter]]:
    with ExitStack() as started:

        def start(home: Path, **options: Any) -> Starter:
            starter = Starter(home, cache, **options)
            started.callback(starter.kill)
            return starter

        yield start
