"""Ends what a database does for a job whose time is over, or that is gone."""

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from sqlalchemy import Connection

_LOOKS_EVERY_S = 0.25
_CANCEL_LIMIT_S = 5.0


class Watch:
    """Stops what a connection does when the time is over or the job is gone."""

    def __init__(self, *, seconds: float, is_cancelled: Callable[[], bool]) -> None:
        self.seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._is_cancelled = is_cancelled
        self._done = threading.Event()
        self.was_cancelled = False
        self.has_stopped = False

    @property
    def seconds_left(self) -> float:
        """What remains of the time; never negative."""
        return max(0.0, self._deadline - time.monotonic())

    @contextmanager
    def over(self, connection: Connection) -> Iterator[Self]:
        """Watches while the block runs."""
        driver = connection.connection.driver_connection
        thread = threading.Thread(target=self._look, args=(driver,), name="tde-sql-watch", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._done.set()
            thread.join()
            if self.has_stopped:
                connection.invalidate()  # the request to stop may arrive late, and must not stop another job

    def _look(self, driver: Any) -> None:  # noqa: ANN401 - the driver's own
        while not self._done.wait(min(_LOOKS_EVERY_S, self.seconds_left or _LOOKS_EVERY_S)):
            self.was_cancelled = self.was_cancelled or self._is_cancelled()
            if self.was_cancelled or not self.seconds_left:
                self.has_stopped = True
                _stop(driver)


def _stop(driver: Any) -> None:  # noqa: ANN401 - the driver's own
    if isinstance(driver, sqlite3.Connection):
        driver.interrupt()
        return
    try:
        driver.cancel_safe(timeout=_CANCEL_LIMIT_S)
    except Exception:  # noqa: BLE001 - the server cannot be reached any more, so neither can its answer
        with socket.socket(fileno=os.dup(driver.fileno())) as ours:
            ours.shutdown(socket.SHUT_RDWR)
