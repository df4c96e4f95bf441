"""One kernel per home: the lock that says so, and the state that others read."""

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import filelock
import psutil
from pydantic import ValidationError

from procos.errors import KernelError
from procos.kernel.home import Home
from procos.model.kernel_state import KernelState

_CLOCK_SLACK_S: Final = 2.0
"""Linux tells when a process began by the moment of its boot, which moves by a second when the clock is corrected."""


@contextlib.contextmanager
def hold(home: Home) -> Iterator[None]:
    """Holds the home for this kernel.

    Raises:
        KernelError: another kernel holds it; names its process.
    """
    lock = filelock.FileLock(home.lock_file)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        running = read(home)
        process = f" (process {running.pid})" if running else ""
        raise KernelError(
            f"a kernel{process} runs in {home.path} already",
            hint="`procos status` shows it, `procos down` stops it, --home starts another one elsewhere",
        ) from None
    try:
        yield
    finally:
        lock.release()


def announce(home: Home, *, version: str) -> KernelState:
    """Writes and returns the first state of a kernel in this process; the home must be held."""
    process = psutil.Process()
    now = datetime.now(UTC)
    earlier = last_known(home)
    state = KernelState(
        kernel_id=home.kernel_id(),
        pid=process.pid,
        process_created=process.create_time(),
        phase="starting",
        version=version,
        started_at=now,
        updated_at=now,
        bootstrap_key=earlier.bootstrap_key if earlier else None,
    )
    write(home, state)
    return state


def write(home: Home, state: KernelState) -> None:
    """Replaces the state file in one step."""
    replace_file(home.state_file, state.model_dump_json(indent=1))


def read(home: Home) -> KernelState | None:
    """The state of the kernel that runs in this home, or None when there is none, or it was killed."""
    state = last_known(home)
    return state if state and is_alive(state) else None


def last_known(home: Home) -> KernelState | None:
    """The state that the last kernel of this home left, whether it still runs or not.

    Raises:
        KernelError: the state file cannot be read.
    """
    try:
        return KernelState.model_validate_json(home.state_file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise KernelError(
            f"{home.state_file} cannot be read: {error.strerror}",
            hint="make it readable for this user, or choose another home with --home or PROCOS_HOME",
        ) from error
    except ValidationError:
        return None  # of another version of ProcOS: it tells nothing that this one could use


def is_alive(state: KernelState) -> bool:
    """Whether the very process that wrote `state` runs; another one under its recycled id does not count."""
    try:
        process = psutil.Process(state.pid)
        is_same = abs(process.create_time() - state.process_created) < _CLOCK_SLACK_S
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def replace_file(path: Path, text: str) -> None:
    """Writes `text` so that a reader sees the old file or the new one, never a part."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def terminate(home: Home, *, longest: timedelta) -> bool:
    """Asks the home's kernel to stop and waits for its end; says whether one was running.

    Raises:
        KernelError: it does not end in time; names its process.
    """
    state = read(home)
    if state is None:
        return False
    process = psutil.Process(state.pid)
    process.terminate()
    try:
        process.wait(longest.total_seconds())
    except psutil.TimeoutExpired:
        raise KernelError(
            f"the kernel (process {state.pid}) has not stopped within {longest.total_seconds():g} s",
            hint=f"{home.kernel_log} says what it waits for; `kill -9 {state.pid}` ends it, the next boot goes on",
        ) from None
    return True
