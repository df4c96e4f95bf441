"""Folders that no path leads out of: every step is opened by descriptor, and no symlink is followed.

A path is checked as text first, and then walked: each folder on the way is opened relative to the descriptor of the one
before it, with O_NOFOLLOW. A symlink that is put in the way between check and use is therefore never followed, and what
is done to the last component is done relative to the folder that was opened, wherever its name points by then.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from procos.sdk import GiveUp

RESERVED_PREFIX = ".procos-"

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FOLDER_MODE = 0o755


@dataclass(frozen=True)
class Place:
    """A path inside a root, as the steps that lead there."""

    root: Path
    steps: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The absolute path."""
        return self.root.joinpath(*self.steps)

    @property
    def name(self) -> str:
        """The last step.

        Raises:
            GiveUp: the place is the root itself.
        """
        if not self.steps:
            raise GiveUp(f"{self.root} is a root of the file TDE: name a file or folder inside it")
        return self.steps[-1]

    @contextmanager
    def open_parent(self, *, create: bool = False) -> Iterator[int]:
        """The descriptor of the folder that holds the place; `create` makes the folders that are missing."""
        _ = self.name  # the root itself has no parent here
        with self._walk(self.steps[:-1], create=create) as folder:
            yield folder

    @contextmanager
    def open_folder(self) -> Iterator[int]:
        """The descriptor of the place itself, which has to be a folder."""
        with self._walk(self.steps, create=False) as folder:
            yield folder

    @contextmanager
    def _walk(self, steps: Sequence[str], *, create: bool) -> Iterator[int]:
        folder = self._open_root()
        try:
            for depth, step in enumerate(steps, start=1):
                deeper = self._enter(folder, step, self.root.joinpath(*steps[:depth]), create=create)
                os.close(folder)
                folder = deeper
            yield folder
        finally:
            os.close(folder)

    def _open_root(self) -> int:
        try:
            return os.open(self.root, _FOLDER)
        except (FileNotFoundError, NotADirectoryError):
            raise GiveUp(
                f"the root {self.root} of the file TDE is not a folder: make it, or change tde.file.roots"
            ) from None

    @staticmethod
    def _enter(folder: int, step: str, path: Path, *, create: bool) -> int:
        if create and look(folder, step) is None:
            with suppress(FileExistsError):  # somebody else made it meanwhile
                os.mkdir(step, _FOLDER_MODE, dir_fd=folder)
        try:
            return os.open(step, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
        except OSError as error:
            found = look(folder, step)
            is_link = found is not None and stat.S_ISLNK(found.st_mode)
            code = errno.ELOOP if is_link else error.errno or errno.EIO
            raise OSError(code, os.strerror(code), str(path)) from None


class Roots:
    """The folders that the file TDE may touch."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)

    def __str__(self) -> str:
        return ", ".join(str(folder) for folder in self._folders)

    def place(self, path: str) -> Place:
        """Where the path lies: below the first root if it is relative, in the root that holds it if it is absolute.

        Raises:
            GiveUp: the path leads out of the roots, or names a file that the TDE keeps for itself.
        """
        steps = [step for step in PurePosixPath(path).parts if step.strip("/")]
        if ".." in steps:
            raise GiveUp(f"{path!r} has '..' in it: write the path without, under a root of the file TDE ({self})")
        place = self._locate(steps) if path.startswith("/") else Place(self._folders[0], tuple(steps))
        if place is None:
            raise GiveUp(
                f"{path!r} is outside the roots of the file TDE ({self}): use a path inside one, or add its folder to"
                " tde.file.roots"
            )
        if any(step.startswith(RESERVED_PREFIX) for step in place.steps):
            raise GiveUp(f"{path!r}: names that begin with {RESERVED_PREFIX} are the file TDE's own; use another")
        return place

    def _locate(self, steps: Sequence[str]) -> Place | None:
        absolute = Path("/", *steps)
        for folder in self._folders:
            # A root may be reached over a symlink itself, and then be named either way.
            for spelling in (folder, folder.resolve()):
                if absolute.is_relative_to(spelling):
                    return Place(folder, absolute.relative_to(spelling).parts)
        return None


def look(folder: int, name: str) -> os.stat_result | None:
    """What lies under the name in the opened folder, itself and not what it may point to; None if nothing does."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def find(place: Place) -> os.stat_result | None:
    """What lies at the place, None if nothing does.

    Raises:
        OSError: it is a symlink (ELOOP) or a special file (ENXIO).
    """
    try:
        if not place.steps:
            with place.open_folder() as folder:
                return os.fstat(folder)
        with place.open_parent() as folder:
            found = look(folder, place.name)
    except (FileNotFoundError, NotADirectoryError):
        return None
    refuse_oddities(found, place)
    return found


def refuse_oddities(found: os.stat_result | None, place: Place) -> None:
    """Lets files, folders and nothing at all pass.

    Raises:
        OSError: a symlink (ELOOP), or a pipe, socket or device (ENXIO), which could block or do something when opened.
    """
    if found is None or stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
        return
    code = errno.ELOOP if stat.S_ISLNK(found.st_mode) else errno.ENXIO
    raise OSError(code, os.strerror(code), str(place.path))


def open_file(folder: int, place: Place, flags: int = os.O_RDONLY) -> int:
    """Opens the regular file under the place's name in the opened folder; O_CREAT among the flags makes it.

    Raises:
        OSError: it is missing, a folder (EISDIR), a symlink or a special file.
    """
    refuse_oddities(look(folder, place.name), place)
    # O_NONBLOCK: a pipe that was put there since must not hold the job; it changes nothing for a file.
    careful = flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(place.name, careful, 0o644, dir_fd=folder)
    try:
        _refuse_all_but_files(os.fstat(descriptor), place)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _refuse_all_but_files(found: os.stat_result, place: Place) -> None:
    refuse_oddities(found, place)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(place.path))


def persist(folder: int) -> None:
    """Has the folder's names written to the disk, on file systems that can do that for a folder."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
