"""Who takes part, how each is started, and what each needs installed first (into the bench's own cache)."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CAMUNDA_SDK = "camunda-orchestration-sdk==10.0.1"
MATPLOTLIB = "matplotlib>=3.9,<4"


class NotInstalled(Exception):
    """A peer that cannot run on this machine; the message says why."""


@dataclass(frozen=True)
class Peer:
    """One program in one mode; `group` decides colour and order."""

    name: str
    group: str
    mode: str
    command: Callable[[Path], list[str]]
    says: str = ""


def _ours(_cache: Path) -> list[str]:
    return [sys.executable, "-m", "peers.ours"]


def _pyzeebe(_cache: Path) -> list[str]:
    return [sys.executable, "-m", "peers.pyzeebe_peer"]


def _camunda(cache: Path) -> list[str]:
    return [str(virtual_environment(cache / "camunda", CAMUNDA_SDK)), "-m", "peers.camunda_peer"]


def _java(cache: Path) -> list[str]:
    folder = cache / "java"
    program = HERE / "java" / "Peer.java"
    classes = folder / "classes"
    if not _is_current(classes / "Peer.class", program, HERE / "java" / "pom.xml"):
        folder.mkdir(parents=True, exist_ok=True)
        copy = f"-DoutputDirectory={folder / 'lib'}"
        _run("mvn", "-q", "-B", "-f", str(HERE / "java" / "pom.xml"), "dependency:copy-dependencies", copy)
        _run("javac", "-cp", f"{folder / 'lib'}/*", "-d", str(classes), str(program))
    return ["java", "-cp", f"{classes}:{folder / 'lib'}/*", "Peer"]


def _node(cache: Path) -> list[str]:
    folder = cache / "node"
    folder.mkdir(parents=True, exist_ok=True)
    lock = HERE / "node" / "package-lock.json"
    if not _is_current(folder / "node_modules" / ".package-lock.json", lock):
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "node" / name, folder)
        _run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", folder=folder)
    shutil.copy(HERE / "node" / "peer.mjs", folder)
    return ["node", str(folder / "peer.mjs")]


OURS = "procos"
PEERS = (
    Peer(OURS, "procos", "stream", _ours, "its defaults: streams and polls, keeps its ledger"),
    Peer("procos poll", "procos", "poll", _ours, "without streams"),
    Peer("pyzeebe poll", "pyzeebe", "poll", _pyzeebe, "its defaults: full slots mean a sleep of 5 s"),
    Peer("pyzeebe tuned", "pyzeebe", "tuned", _pyzeebe, "poll_retry_delay 0.02 s"),
    Peer("pyzeebe stream", "pyzeebe", "stream", _pyzeebe, "stream_enabled; ignores the slots"),
    Peer("java poll", "java", "poll", _java, "maxJobsActive = threads = slots"),
    Peer("java prefetch", "java", "prefetch", _java, "threads = slots, maxJobsActive twice the slots"),
    Peer("java stream", "java", "stream", _java, "streamEnabled, maxJobsActive twice the slots"),
    Peer("node poll", "node", "poll", _node, "its defaults: looks every 300 ms"),
    Peer("node tuned", "node", "tuned", _node, "pollInterval 10 ms"),
    Peer("node stream", "node", "stream", _node, "streamJobs; ignores the slots"),
    Peer("camunda python", "camunda", "poll", _camunda, f"{CAMUNDA_SDK}, REST"),
)


def virtual_environment(folder: Path, requirement: str) -> Path:
    """The Python of a virtual environment that has `requirement`."""
    python = folder / "bin" / "python"
    mark = folder / "installed"
    if not mark.is_file() or mark.read_text() != requirement:
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement)
        mark.write_text(requirement)
    return python


def _is_current(made: Path, *sources: Path) -> bool:
    return made.exists() and all(made.stat().st_mtime >= source.stat().st_mtime for source in sources)


def _run(*command: str, folder: Path | None = None) -> None:
    if shutil.which(command[0]) is None:
        raise NotInstalled(f"{command[0]} is not on this machine")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise NotInstalled(f"{command[0]} failed: {' '.join(last)}")
