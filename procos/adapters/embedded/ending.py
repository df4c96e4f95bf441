"""Ending a broker process."""

import os
import signal
from datetime import timedelta

import psutil

from procos.errors import EngineError, EngineTimeout

_AFTER_KILL_SECONDS = 10


def end(process: psutil.Process, grace: timedelta) -> None:
    """Asks the process to end (SIGTERM), and kills it when it has not done so within `grace`.

    It is the leader of a group: whatever its start script has begun gets the signals as well.

    Raises:
        EngineError: it belongs to another user.
        EngineTimeout: it outlived even SIGKILL.
    """
    try:
        _signal(process, signal.SIGTERM)
        if not _ended(process, grace.total_seconds()):
            _signal(process, signal.SIGKILL)
            if not _ended(process, _AFTER_KILL_SECONDS):
                raise EngineTimeout(f"the engine (process {process.pid}) does not end, not even by SIGKILL")
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise EngineError(
            f"the engine (process {process.pid}) belongs to another user", hint="stop it as the user who started it"
        ) from error


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    """Signals this very process and its group, never one that got its pid later (psutil tells)."""
    if not process.is_running():
        raise psutil.NoSuchProcess(process.pid)
    try:
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    except ProcessLookupError as error:
        raise psutil.NoSuchProcess(process.pid) from error
    except PermissionError as error:
        raise psutil.AccessDenied(process.pid) from error


def _ended(process: psutil.Process, seconds: float) -> bool:
    try:
        process.wait(seconds)
    except psutil.TimeoutExpired:
        return False
    return True
