"""Which job appended what to a file: a job that is run again after a crash must not append a second time."""

import hashlib
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from procos_workers.new_file import NewFile
from procos_workers.rooted_folder import RESERVED_PREFIX

_KEPT_ENTRIES = 100


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True)

    job: str
    offset: int


class _Entries(BaseModel):
    path: str
    entries: list[_Entry] = []


class AppendJournal:
    """The journal of one file, for its latest appends; whoever uses it holds the lock of that file.

    A job notes where it is going to write before it writes; when it runs again, the note tells what was done.
    """

    def __init__(self, data_folder: Path, path: Path) -> None:
        self._folder = data_folder / f"{RESERVED_PREFIX}appends"
        self._name = hashlib.sha256(os.fsencode(path)).hexdigest()[:32] + ".json"
        self._path = path

    def is_done(self, job: str, descriptor: int, data: bytes) -> bool:
        """Whether the job's data is in the file already; half of it, left by a crash, is cut off."""
        offset = self._offset_of(job)
        if offset is None:
            return False
        found = os.pread(descriptor, len(data), offset)
        if found == data:
            return True
        if found and data.startswith(found):
            os.ftruncate(descriptor, offset)
        return False

    def note(self, job: str, offset: int) -> None:
        """Notes that the job is going to write at the offset."""
        kept = self._load().entries[-(_KEPT_ENTRIES - 1) :]
        noted = _Entries(path=str(self._path), entries=[*kept, _Entry(job=job, offset=offset)])
        self._folder.mkdir(parents=True, exist_ok=True)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with NewFile(folder) as new:
                new.write(noted.model_dump_json().encode())
                new.publish(self._name, overwrite=True)
        finally:
            os.close(folder)

    def _offset_of(self, job: str) -> int | None:
        # Who wrote last at an offset owns what is there: an earlier job that noted it too crashed before it wrote.
        owners = {entry.offset: entry.job for entry in self._load().entries}
        return next((offset for offset, owner in reversed(owners.items()) if owner == job), None)

    def _load(self) -> _Entries:
        try:
            return _Entries.model_validate_json((self._folder / self._name).read_bytes())
        except FileNotFoundError:
            return _Entries(path=str(self._path))
