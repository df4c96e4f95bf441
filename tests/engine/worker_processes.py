"""`procos worker` as a person runs it: a process of its own, on a module that the test wrote."""

import contextlib
import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.engine.conftest import Procos

_HEADER = """
import asyncio, os, time
from pathlib import Path
from pydantic import BaseModel
from procos.sdk import GiveUp, RetryLater, TaskContext, tde

EFFECTS = Path({effects!r})

def effect(text: str) -> None:
    with EFFECTS.open("a") as file:
        file.write(text + "\\n")

class Nothing(BaseModel):
    pass

class Done(BaseModel):
    text: str
"""


@dataclass
class WorkerProcess:
    """A running `procos worker`; what it says goes to `log`."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def monitoring(self) -> str:
        found = re.search(r"http://(\S+)/metrics", self.said)
        assert found, self.said
        return found[1]

    def ask(self, path: str) -> tuple[int, str]:
        """Status and body of one of the worker's monitoring pages."""
        try:
            with urllib.request.urlopen(f"http://{self.monitoring}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, line: str) -> float:
        """The value of one metric, by its name and labels; 0 when there is none yet."""
        for found in self.ask("/metrics")[1].splitlines():
            if found.startswith(f"{line} "):
                return float(found.rpartition(" ")[2])
        return 0.0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


class WorkerBench:
    """Writes one module of TDEs and starts workers on it."""

    def __init__(self, folder: Path, procos: Procos) -> None:
        self.folder = folder
        self.procos = procos
        self.effects_file = folder / "effects.txt"
        self._started: list[WorkerProcess] = []

    def write(self, code: str) -> None:
        (self.folder / "errands.py").write_text(_HEADER.format(effects=str(self.effects_file)) + code)

    @property
    def effects(self) -> list[str]:
        return self.effects_file.read_text().splitlines() if self.effects_file.exists() else []

    def start(self, *options: str, **variables: str) -> WorkerProcess:
        """A worker that has said that it works."""
        log = self.folder / f"worker-{len(self._started)}.log"
        command = self.procos.with_environment(**variables).command("worker", "errands", *options)
        with log.open("wb") as file:
            process = subprocess.Popen(
                command, cwd=self.folder, env={**self.procos.environment, **variables}, stdout=file, stderr=file
            )
        worker = WorkerProcess(process, log)
        self._started.append(worker)
        wait_until(lambda: "health and metrics at" in worker.said or process.poll() is not None)
        assert process.poll() is None, worker.said
        return worker

    def end(self) -> None:
        for worker in self._started:
            if worker.process.poll() is None:
                worker.terminate()


@contextlib.contextmanager
def worker_bench(folder: Path, procos: Procos) -> Iterator[WorkerBench]:
    """Whatever it starts is ended with the context."""
    bench = WorkerBench(folder, procos)
    try:
        yield bench
    finally:
        bench.end()


def wait_until(condition: Callable[[], Any], *, longest_s: float = 60) -> None:
    """Looks again and again, as a person would, until it holds."""
    until = time.monotonic() + longest_s
    while not condition():
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.05)


def variables_of(output: str) -> dict[str, Any]:
    """What `procos run --wait` printed."""
    found: dict[str, Any] = json.loads(output)
    return found
