"""The file TDE's operations that change files: write, append, copy, move, delete.

A job may run more than once, so each of them can be repeated: what is found done counts as done.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from procos.sdk import GiveUp
from procos_workers.append_journal import AppendJournal
from procos_workers.file_task import FileOutput, answer_for
from procos_workers.file_work import CHUNK_BYTES, FileWork, measure
from procos_workers.new_file import NewFile, write_all
from procos_workers.rooted_folder import Place, find, look, open_file, persist, refuse_oddities


def write(work: FileWork) -> FileOutput:
    """Puts the content into the file as a whole: who reads it sees the old content or the new, never half of it.

    A file that may not be overwritten but has this very content was written by an earlier run of the job.
    """
    place, data = work.source, _content(work)
    with place.open_parent(create=work.task.create_folders) as folder, NewFile(folder) as new:
        new.write(data)
        _publish(new, folder, place, overwrite=work.task.overwrite)
        return answer_for(place.path, exists=True, size_bytes=new.size_bytes, sha256=new.sha256)


def append(work: FileWork) -> FileOutput:
    """Adds the content to the end of the file; all of it or, if that fails, none."""
    place, data = work.source, _content(work)
    job = work.context.idempotency_key
    journal = AppendJournal(work.context.data_folder, place.path)
    with place.open_parent(create=work.task.create_folders) as folder, _locked(folder, place) as descriptor:
        if not journal.is_done(job, descriptor, data):
            offset = os.fstat(descriptor).st_size
            journal.note(job, offset)
            _add(descriptor, data, offset)
        persist(folder)
    return work.describe(place)


def copy(work: FileWork) -> FileOutput:
    """Copies a file, of any size."""
    source, target = work.source, work.target
    with (
        source.open_parent() as here,
        os.fdopen(open_file(here, source), "rb") as stream,
        target.open_parent(create=work.task.create_folders) as there,
        NewFile(there) as new,
    ):
        while chunk := stream.read(CHUNK_BYTES):
            new.write(chunk)
        if not _is_same_entry(here, source, there, target):
            _publish(new, there, target, overwrite=work.task.overwrite)
        return answer_for(target.path, exists=True, size_bytes=new.size_bytes, sha256=new.sha256)


def move(work: FileWork) -> FileOutput:
    """Moves a file or a folder; folders replace nothing. If only the target is there, it was moved already."""
    source, target = work.source, work.target
    found = find(source)
    if found is None:
        return _already_moved(work, source, target)
    with source.open_parent() as here, target.open_parent(create=work.task.create_folders) as there:
        if not _is_same_entry(here, source, there, target):
            _transfer(work, found, (here, source), (there, target))
            persist(there)
            persist(here)
    return work.describe(target)


def delete(work: FileWork) -> FileOutput:
    """Deletes a file or an empty folder; one that is gone counts as deleted unless `missing_ok` is false."""
    place = work.source
    found = find(place)
    if found is None and work.task.missing_ok is False:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place.path))
    if found is not None:
        remove = os.rmdir if stat.S_ISDIR(found.st_mode) else os.unlink
        with place.open_parent() as folder:
            with suppress(FileNotFoundError):
                remove(place.name, dir_fd=folder)
            persist(folder)
    return answer_for(place.path, exists=False)


def _content(work: FileWork) -> bytes:
    data = work.task.content_bytes()
    if len(data) > work.config.max_bytes:
        raise GiveUp(
            f"{work.where}: the content has {len(data)} bytes, and {work.config.max_bytes} are allowed; write less, or"
            " raise tde.file.max_bytes"
        )
    return data


def _publish(new: NewFile, folder: int, place: Place, *, overwrite: bool) -> None:
    _refuse_as_target(look(folder, place.name), place)
    try:
        new.publish(place.name, overwrite=overwrite)
    except FileExistsError:
        _, sha256 = measure(folder, place)
        if sha256 != new.sha256:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place.path)) from None


def _refuse_as_target(found: os.stat_result | None, place: Place) -> None:
    refuse_oddities(found, place)
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(place.path))


@contextmanager
def _locked(folder: int, place: Place) -> Iterator[int]:
    """The file, opened for appending, for this job alone."""
    while True:
        descriptor = open_file(folder, place, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            current = look(folder, place.name)
            # While this job waited for the lock, another may have put a new file under the name.
            if current is not None and os.path.samestat(current, os.fstat(descriptor)):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _add(descriptor: int, data: bytes, offset: int) -> None:
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, offset)
        raise


def _is_same_entry(here: int, source: Place, there: int, target: Place) -> bool:
    return source.name == target.name and os.path.samestat(os.fstat(here), os.fstat(there))


def _already_moved(work: FileWork, source: Place, target: Place) -> FileOutput:
    answer = work.describe(target)
    if answer.exists or work.task.missing_ok:
        return answer
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(source.path))


def _transfer(work: FileWork, found: os.stat_result, source: tuple[int, Place], target: tuple[int, Place]) -> None:
    (here, old), (there, new) = source, target
    occupant = look(there, new.name)
    if stat.S_ISDIR(found.st_mode):
        if occupant is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(new.path))
        os.rename(old.name, new.name, src_dir_fd=here, dst_dir_fd=there)
        return
    _refuse_as_target(occupant, new)
    try:
        _rename(source, target, overwrite=work.task.overwrite)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy(work)
        os.unlink(old.name, dir_fd=here)


def _rename(source: tuple[int, Place], target: tuple[int, Place], *, overwrite: bool) -> None:
    (here, old), (there, new) = source, target
    if overwrite:
        os.rename(old.name, new.name, src_dir_fd=here, dst_dir_fd=there)
        return
    try:
        # A link, unlike a rename, never replaces what another job put there since.
        os.link(old.name, new.name, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)
    except FileExistsError:
        # The very same content was brought there by an earlier run that was stopped before it took the old file away.
        if measure(there, new) != measure(here, old):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(new.path)) from None
    os.unlink(old.name, dir_fd=here)
