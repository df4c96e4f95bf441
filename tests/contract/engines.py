"""Real engines for the contract suite, each started once however many workers of pytest run."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from tests.engine.conftest import procos_in

_LOOK_AGAIN_S = 0.2


@contextlib.contextmanager
def shared_between_workers(folder: Path, start: Callable[[], contextlib.AbstractContextManager[str]]) -> Iterator[str]:
    """The address of an engine; the first worker starts it, and stops it when no other uses it any more."""
    lock, users = filelock.FileLock(folder.with_suffix(".lock")), folder.with_suffix(".users.json")

    def read() -> tuple[int, str]:
        count, address = json.loads(users.read_text()) if users.exists() else (0, "")
        return count, address

    with contextlib.ExitStack() as started:
        with lock:
            count, address = read()
            is_starter = count == 0
            if is_starter:
                address = started.enter_context(start())
            users.write_text(json.dumps([count + 1, address]))
        try:
            yield address
        finally:
            with lock:
                count, _ = read()
                users.write_text(json.dumps([count - 1, address]))
            while is_starter and not _ends(lock, users, started):
                time.sleep(_LOOK_AGAIN_S)


def _ends(lock: filelock.BaseFileLock, users: Path, started: contextlib.ExitStack) -> bool:
    """Stops the engine if nobody uses it; under the lock, so that nobody comes in that moment."""
    with lock:
        count, _ = json.loads(users.read_text())
        if count == 0:
            started.close()
        return bool(count == 0)


@contextlib.contextmanager
def zeebe_8_5(home: Path) -> Iterator[str]:
    """Zeebe 8.5.8, started by ProcOS."""
    command = procos_in(home, PROCOS_ENGINE_VERSION="8.5.8")
    command("engine", "start", timeout=300)
    try:
        address: str = json.loads(command("engine", "status", "--json").stdout)["address"]
        yield address
    finally:
        command("engine", "stop")
