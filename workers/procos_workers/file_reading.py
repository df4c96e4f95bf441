"""The file TDE's operations that change nothing: read, list, exists."""

import hashlib
import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase

from procos.sdk import GiveUp
from procos_workers.file_task import Entry, FileOutput, answer_for, utc
from procos_workers.file_work import FileWork
from procos_workers.rooted_folder import RESERVED_PREFIX, Place, find, look, open_file


def read(work: FileWork) -> FileOutput:
    """The file's content, up to the limit.

    Raises:
        GiveUp: the file is too large, or not of the format.
        OSError: it cannot be opened.
    """
    place, limit = work.source, work.config.max_bytes
    with place.open_parent() as folder, os.fdopen(open_file(folder, place), "rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise GiveUp(
            f"{work.where}: the file is larger than {limit} bytes; pass its path on instead of its content, or raise"
            " tde.file.max_bytes (the engine takes less than 4 MiB)"
        )
    digest = hashlib.sha256(data).hexdigest()
    return answer_for(place.path, exists=True, size_bytes=len(data), sha256=digest, content=work.task.decode(data))


def exists(work: FileWork) -> FileOutput:
    """Whether there is a file or a folder at the path.

    Raises:
        OSError: there is something else, or a symlink on the way.
    """
    found = find(work.source)
    if found is None or stat.S_ISDIR(found.st_mode):
        return answer_for(work.source.path, exists=found is not None)
    return answer_for(work.source.path, exists=True, size_bytes=found.st_size)


def list_folder(work: FileWork) -> FileOutput:
    """The files and folders in a folder; symlinks, special files and the TDE's own files are left out.

    Raises:
        GiveUp: there are more entries than the settings allow.
        OSError: the folder cannot be read.
    """
    top, task = work.source, work.task
    entries: list[Entry] = []
    pending = [top]
    while pending:
        folder = pending.pop()
        for place, found in _children(folder, work, is_top=folder == top):
            if task.recursive and stat.S_ISDIR(found.st_mode):
                pending.append(place)
            if fnmatchcase(place.name, task.pattern):
                entries.append(_entry(place, found))
        if len(entries) > work.config.max_entries:
            raise GiveUp(
                f"{work.where}: there are more than {work.config.max_entries} entries; narrow 'pattern', list a"
                " subfolder, or raise tde.file.max_entries"
            )
    return answer_for(top.path, exists=True, entries=sorted(entries, key=lambda entry: entry.path))


def _children(place: Place, work: FileWork, *, is_top: bool) -> Iterator[tuple[Place, os.stat_result]]:
    try:
        with place.open_folder() as folder:
            found = [(name, look(folder, name)) for name in os.listdir(folder)]  # noqa: PTH208 - a descriptor
    except FileNotFoundError:
        if is_top:
            raise
        return  # a subfolder that was deleted meanwhile
    for name, status in found:
        if not _is_utf8(name):
            work.context.logger.warning("%s: %r in %s is not UTF-8 and left out", work.where, name, place.path)
        elif status is not None and _is_listed(name, status):
            yield Place(place.root, (*place.steps, name)), status


def _is_listed(name: str, found: os.stat_result) -> bool:
    ordinary = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    return ordinary and not name.startswith(RESERVED_PREFIX)


def _is_utf8(name: str) -> bool:
    # Other bytes come from the system as lone surrogates, which no variable can hold.
    return not any("\ud800" <= sign <= "\udfff" for sign in name)


def _entry(place: Place, found: os.stat_result) -> Entry:
    is_folder = stat.S_ISDIR(found.st_mode)
    return Entry(
        path=str(place.path),
        size_bytes=0 if is_folder else found.st_size,
        modified=utc(found.st_mtime),
        is_folder=is_folder,
    )
