"""`--dev`: started anew after each change."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from procos.errors import UsageError
from procos.wiring.reloading import run_again_on_change

CHILD = """
import os, signal, sys, time
from pathlib import Path
note = Path("notes.txt").open("a", encoding="utf-8")
print("started", os.getpid(), file=note, flush=True)
if "mistake" in Path("tdes_here.py").read_text(encoding="utf-8"):
    sys.exit(1)
def end(*_):
    print("drained", os.getpid(), file=note, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", os.getpid(), file=note, flush=True)
while True:
    time.sleep(60)
"""
RELOADER = """
import sys
from pathlib import Path
from procos.wiring.reloading import run_again_on_change
run_again_on_change(
    [sys.executable, "child.txt"], modules=["tdes_here"], folder=Path.cwd(), tell=lambda text: print(text, flush=True)
)
print("ended", flush=True)
"""


class Reloader:
    """A reloader in a process of its own, on a module `tdes_here`, whose command notes what happens to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "child.txt").write_text(CHILD, encoding="utf-8")
        self.change("a = 0")
        self.process = subprocess.Popen(
            [sys.executable, "-c", RELOADER], cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def change(self, text: str) -> None:
        (self.folder / "tdes_here.py").write_text(text, encoding="utf-8")

    def notes(self, what: str) -> list[int]:
        """The ids of the processes that noted `what`."""
        file = self.folder / "notes.txt"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith(what)]

    def until(self, condition: Callable[[], object]) -> None:
        give_up_at = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < give_up_at, self.folder.joinpath("notes.txt").read_text(encoding="utf-8")
            time.sleep(0.02)


@pytest.fixture
def reloader(tmp_path: Path) -> Iterator[Reloader]:
    made = Reloader(tmp_path)
    yield made
    for number in made.notes("started"):
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if "child.txt" in psutil.Process(number).cmdline():
                os.kill(number, signal.SIGKILL)
    made.process.kill()
    made.process.communicate()


def changed_until(reloader: Reloader, text: str, condition: Callable[[], object]) -> None:
    """Changes the module, again and again: what is changed before it is watched is not seen."""
    numbers = iter(range(1_000_000))

    def changed() -> object:
        reloader.change(f"{text}  # {next(numbers)}")
        time.sleep(0.3)
        return condition()

    reloader.until(changed)


def test_a_change_drains_the_command_and_starts_it_anew(reloader):
    reloader.until(lambda: reloader.notes("ready"))
    (first,) = reloader.notes("ready")
    changed_until(reloader, "a = 1", lambda: reloader.notes("drained"))
    reloader.until(lambda: len(reloader.notes("ready")) >= 2)

    assert first in reloader.notes("drained")
    assert not psutil.pid_exists(first)


def test_a_command_that_ends_by_a_mistake_waits_for_the_next_change(reloader):
    reloader.until(lambda: reloader.notes("ready"))
    changed_until(reloader, "mistake", lambda: len(reloader.notes("started")) > len(reloader.notes("ready")))
    reloader.change("a = 1  # mended")
    before = len(reloader.notes("ready"))
    reloader.until(lambda: len(reloader.notes("ready")) > before)

    assert reloader.process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_ends_its_command_and_itself(reloader, number):
    reloader.until(lambda: reloader.notes("ready"))
    (child,) = reloader.notes("ready")
    reloader.process.send_signal(number)
    told, _ = reloader.process.communicate(timeout=60)

    assert reloader.notes("drained") == [child]
    assert not psutil.pid_exists(child)
    assert reloader.process.returncode == 0
    assert told.splitlines() == [f"watching {reloader.folder}", "ended"]


@pytest.mark.parametrize("module", ["no_such_module", "no_such.deep", "..", ""])
def test_a_module_that_is_not_there_is_said_so(module, tmp_path):
    def started(text: str) -> None:
        raise AssertionError(text)

    with pytest.raises(UsageError, match="there is no module"):
        run_again_on_change([sys.executable, "-c", ""], modules=[module], folder=tmp_path, tell=started)
