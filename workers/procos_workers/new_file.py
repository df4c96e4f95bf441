"""A file that is written under a temporary name and then published whole, so that nobody ever sees half of it."""

import hashlib
import os
import secrets
from contextlib import suppress
from typing import Self

from procos_workers.rooted_folder import RESERVED_PREFIX, persist

_MODE = 0o644  # less the umask


class NewFile:
    """A new file in an opened folder; without `publish` it is gone at the end of the with block."""

    def __init__(self, folder: int) -> None:
        self._folder = folder
        self._temporary = f"{RESERVED_PREFIX}{secrets.token_hex(8)}.tmp"
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def __enter__(self) -> Self:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self._temporary, flags, _MODE, dir_fd=self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
        with suppress(FileNotFoundError):
            os.unlink(self._temporary, dir_fd=self._folder)

    @property
    def sha256(self) -> str:
        """The digest of what was written so far, in hex."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Adds to the file."""
        self._digest.update(data)
        self.size_bytes += len(data)
        write_all(self._descriptor, data)

    def publish(self, name: str, *, overwrite: bool) -> None:
        """Gives the file its name, once all of it is on the disk.

        Raises:
            FileExistsError: something has the name already, and `overwrite` is not set.
        """
        os.fsync(self._descriptor)
        if overwrite:
            os.rename(self._temporary, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        else:
            # A link, unlike a rename, never replaces what another job put there since.
            os.link(self._temporary, name, src_dir_fd=self._folder, dst_dir_fd=self._folder, follow_symlinks=False)
        persist(self._folder)


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of the data, in as many steps as the system needs."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
