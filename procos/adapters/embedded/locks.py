"""A lock between processes that says who is kept waiting."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from procos.adapters.embedded.progress import Progress
from procos.errors import EngineTimeout

_LOOK_AGAIN_SECONDS = 0.5


@contextmanager
def exclusively(
    path: Path, *, waiting_for: str, progress: Progress, timeout: timedelta | None = None
) -> Iterator[None]:
    """Holds the lock file at `path`; the system frees it when its holder dies, however it dies.

    Raises:
        EngineTimeout: somebody else held it for all of `timeout`; None waits for ever.
        OSError: the lock file cannot be written.
    """
    lock = FileLock(path)
    deadline = None if timeout is None else time.monotonic() + timeout.total_seconds()
    while not _taken(lock):
        if deadline is not None and time.monotonic() > deadline:
            raise EngineTimeout(
                f"gave up {waiting_for}; the lock is {path}", hint="see which other procos command still runs"
            )
        progress(waiting_for, 0, 0)
    try:
        yield
    finally:
        lock.release()


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=_LOOK_AGAIN_SECONDS)
    except Timeout:
        return False
    return True
