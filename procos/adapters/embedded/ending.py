"""Ending a broker process."""

from datetime import timedelta

import psutil

from procos.errors import EngineError, EngineTimeout

_AFTER_KILL_SECONDS = 10


def end(process: psutil.Process, grace: timedelta) -> None:
    """Asks the process to end (SIGTERM), and kills it when it has not done so within `grace`.

    psutil makes sure that the signals reach this very process and none that got its pid later.

    Raises:
        EngineError: it belongs to another user.
        EngineTimeout: it outlived even SIGKILL.
    """
    try:
        process.terminate()
        if not _ended(process, grace.total_seconds()):
            process.kill()
            if not _ended(process, _AFTER_KILL_SECONDS):
                raise EngineTimeout(f"the engine (process {process.pid}) does not end, not even by SIGKILL")
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise EngineError(
            f"the engine (process {process.pid}) belongs to another user", hint="stop it as the user who started it"
        ) from error


def _ended(process: psutil.Process, seconds: float) -> bool:
    try:
        process.wait(seconds)
    except psutil.TimeoutExpired:
        return False
    return True
