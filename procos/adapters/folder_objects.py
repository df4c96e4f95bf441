"""The ObjectStore port on a folder: each object a file that is named by its content's hash."""

import asyncio
import contextlib
import hashlib
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Final

from procos.errors import StoreError
from procos.model.stored_object import StoredObject

_SHA256 = re.compile(r"[0-9a-f]{64}")
_UNFINISHED: Final = "unfinished"
_ABANDONED_AFTER_S: Final = 24 * 60 * 60


class FolderObjects:
    """Objects in `folder`, which is made when the first one comes; several processes may share it.

    An object appears whole or not at all: it is written under another name, brought to the disk, then renamed. Only the
    folder's owner can read it. The media type is in the reference, not in the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser().absolute()
        self._is_swept = False

    async def put(self, content: bytes, *, media_type: str) -> StoredObject:
        """Stores `content`; the same content again is the same object.

        Raises:
            StoreError: the folder cannot be written, or the disk is full; nothing is left behind.
        """
        return await asyncio.to_thread(self._put, content, media_type)

    async def get(self, sha256: str) -> bytes:
        """The content, checked against its hash.

        Raises:
            StoreError: there is no such object, it cannot be read, or it is damaged.
        """
        return await asyncio.to_thread(self._get, sha256)

    async def close(self) -> None:
        """Nothing is held open."""

    def _put(self, content: bytes, media_type: str) -> StoredObject:
        sha256 = hashlib.sha256(content).hexdigest()
        target = self._path_of(sha256)
        try:
            # Compared as a whole, so that putting an object again mends one that is damaged.
            if not _holds(target, content):
                self._write(target, content)
        except OSError as error:
            raise StoreError(
                f"cannot store an object of {len(content):,} bytes in {self._folder}: {error.strerror or error}",
                hint="see that the disk has space and that this user may write there",
            ) from error
        return StoredObject(sha256=sha256, size=len(content), media_type=media_type)

    def _write(self, target: Path, content: bytes) -> None:
        unfinished = self._folder / _UNFINISHED
        for folder in (self._folder, unfinished, target.parent.parent, target.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep(unfinished)
        descriptor, name = tempfile.mkstemp(dir=unfinished)  # readable by its owner only
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink(missing_ok=True)
            raise

    def _sweep(self, unfinished: Path) -> None:
        """Removes, once, what processes have left that were killed while they wrote."""
        if self._is_swept:
            return
        self._is_swept = True
        abandoned = time.time() - _ABANDONED_AFTER_S
        for file in unfinished.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process sweeps too
                if file.stat().st_mtime < abandoned:
                    file.unlink()

    def _get(self, sha256: str) -> bytes:
        path = self._path_of(sha256)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise StoreError(
                f"there is no object {sha256} in {self._folder}",
                hint="it was stored elsewhere, or has been removed: see that all workers use the same object store",
            ) from None
        except OSError as error:
            raise StoreError(
                f"cannot read the object {path}: {error.strerror or error}", hint="see that this user may read it"
            ) from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise StoreError(
                f"the object {path} is damaged: its content does not have the hash that it is named by",
                hint="restore the file from a backup, or store the same content again",
            )
        return content

    def _path_of(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise StoreError(f"{sha256[:80]!r} is no object: give a SHA-256 in 64 lower-case hexadecimal digits")
        return self._folder / sha256[:2] / sha256[2:4] / sha256


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except FileNotFoundError:
        return False
