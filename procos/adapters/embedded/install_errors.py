"""What can go wrong on this machine's disk while an engine is installed, told apart."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from procos.errors import EngineInstallError

_MEGABYTE = 1_000_000
_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_CHOOSE_CACHE = "set PROCOS_CACHE to a folder"


@contextmanager
def told_apart(folder: Path) -> Iterator[None]:
    """Turns errors of the file system below `folder` into sentences.

    Raises:
        EngineInstallError: the disk is full, writing is not allowed, or something else, in the system's own words.
    """
    try:
        yield
    except OSError as error:
        raise _explained(error, folder) from error


def refuse_full_disk(folder: Path, needed: int) -> None:
    """Fails early when fewer than `needed` bytes are free where `folder` is.

    Raises:
        EngineInstallError: says how much is missing.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise EngineInstallError(
            f"the disk is too full for the engine: it needs {needed / _MEGABYTE:.0f} MB in {folder},"
            f" {free / _MEGABYTE:.0f} MB are free",
            hint=f"free some space, or {_CHOOSE_CACHE} on another disk",
        )


def _explained(error: OSError, folder: Path) -> EngineInstallError:
    if error.errno in _DISK_FULL:
        return EngineInstallError(
            f"the disk became full while the engine was installed in {folder}",
            hint=f"free some space, or {_CHOOSE_CACHE} on another disk",
        )
    if error.errno in _NOT_ALLOWED:
        return EngineInstallError(
            f"no permission to write in {folder}, where the engine is installed ({error.strerror})",
            hint=f"change the folder's permissions or owner, or {_CHOOSE_CACHE} of yours",
        )
    return EngineInstallError(
        f"the engine cannot be installed in {folder}: {error}",
        hint=f"look at that folder, or {_CHOOSE_CACHE} elsewhere",
    )
