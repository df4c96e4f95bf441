"""The broker of a home that runs now, and how it is known again."""

import contextlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from procos.adapters.embedded.folders import EngineFolders
from procos.adapters.embedded.ports import LOOPBACK, Ports

HOME_ARGUMENT = "--procos.engine.home="
"""The broker gets this, with its folder, on its command line: Zeebe ignores it, and it makes the process known."""


_EXEC_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningEngine:
    """A broker that runs: `created` is its process's start (seconds since 1970), addresses are HOST:PORT.

    `started_by` is what its starter called itself; `adopted` says that it ran before it was asked for.
    """

    pid: int
    created: float
    version: str
    address: str
    rest_address: str
    monitoring_address: str
    started_by: str
    data_folder: Path
    adopted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchFacts:
    """What engine.json keeps; `pid` is None between deciding on a launch and having a process.

    `log_start` is the size of engine.log at the launch, in bytes: what follows is of this broker.
    """

    pid: int | None
    version: str
    ports: Ports
    started_by: str
    log_start: int = 0


def write_facts(folders: EngineFolders, facts: LaunchFacts) -> None:
    """Replaces engine.json at once, so that nobody ever reads half of it.

    Raises:
        EngineError: the folder cannot be written.
    """
    draft = folders.facts.with_suffix(".json.new")
    with folders.writing():
        draft.write_text(json.dumps(asdict(facts), indent=2) + "\n", encoding="utf-8")
        draft.replace(folders.facts)


def read_facts(folders: EngineFolders) -> LaunchFacts | None:
    """What engine.json says, or None when it is not there or was damaged by hand."""
    try:
        content: dict[str, Any] = json.loads(folders.facts.read_text(encoding="utf-8"))
        return LaunchFacts(
            pid=content["pid"],
            version=content["version"],
            ports=Ports(**content["ports"]),
            started_by=content["started_by"],
            log_start=content.get("log_start", 0),
        )
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None


def find_process(folders: EngineFolders) -> psutil.Process | None:
    """The living broker process of this home.

    A process counts by its command line, which names the home. So a recycled pid, the engine.json of a copied home,
    or a clock that was set (which moves the start times that the system tells) are never mistaken; and a broker is
    found whose starter was killed before it could note the pid.
    """
    facts = read_facts(folders)
    if facts is not None and facts.pid is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(facts.pid)
            _let_it_become_the_broker(process)
            if _is_broker_of(process, folders):
                return process
    if not folders.root.is_dir():
        return None
    matching = [process for process in psutil.process_iter() if _is_broker_of(process, folders)]
    # The start script forks short-lived copies of itself before it becomes the broker; the broker is the oldest.
    return min(matching, key=lambda process: process.create_time(), default=None)


def describe(process: psutil.Process, facts: LaunchFacts, folders: EngineFolders, *, adopted: bool) -> RunningEngine:
    """The facts about a broker, for those who use it.

    Raises:
        psutil.NoSuchProcess: it has just ended.
    """
    return RunningEngine(
        pid=process.pid,
        created=process.create_time(),
        version=facts.version,
        address=f"{LOOPBACK}:{facts.ports.gateway}",
        rest_address=f"{LOOPBACK}:{facts.ports.rest}",
        monitoring_address=f"{LOOPBACK}:{facts.ports.monitoring}",
        started_by=facts.started_by,
        data_folder=folders.data,
        adopted=adopted,
    )


def is_alive(process: psutil.Process) -> bool:
    """Whether the process still runs; one that ended and waits to be collected does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _let_it_become_the_broker(process: psutil.Process) -> None:
    """Waits while a process has no command line: for a moment, when the start script turns into the Java program."""
    end = time.monotonic() + _EXEC_SECONDS
    with contextlib.suppress(psutil.Error):  # it ended meanwhile, or belongs to somebody else
        while not process.cmdline() and is_alive(process) and time.monotonic() < end:
            time.sleep(_LOOK_AGAIN_SECONDS)


def _is_broker_of(process: psutil.Process, folders: EngineFolders) -> bool:
    try:
        return f"{HOME_ARGUMENT}{folders.root}" in process.cmdline()
    except psutil.Error:  # it ended meanwhile, or belongs to somebody else
        return False
