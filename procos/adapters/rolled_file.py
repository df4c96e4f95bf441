"""Following a file that its writer rolls over: renames it, and starts a new one under the same name."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


class RolledFile:
    """The lines that are appended to the file at `path` after this is made; the file may not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = _open(path)
        if self._file is not None:
            self._file.seek(0, os.SEEK_END)
        self._rest = b""

    def new_lines(self) -> Iterator[bytes]:
        """The whole lines that have come since the last call; an unfinished one waits for its rest."""
        if self._file is None:
            self._file = _open(self._path)
            if self._file is None:
                return
        # Looked at before reading: what the old file got until it was rolled over is read as well.
        rolled = self._was_rolled_over(self._file)
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        if rolled:
            self.close()
        yield from lines

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _was_rolled_over(self, file: BinaryIO) -> bool:
        try:
            return self._path.stat().st_ino != os.fstat(file.fileno()).st_ino
        except FileNotFoundError:
            return False


def _open(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None
