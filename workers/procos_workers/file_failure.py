"""What the operating system refuses, said so that a person can mend it."""

import errno
import os

from procos.sdk import GiveUp

_FOR_GOOD = {
    errno.ELOOP: "is a symlink, and the file TDE follows none; use the real path, inside its roots ({roots})",
    errno.ENOENT: "is not there; check the path (it is looked for under {roots})",
    errno.ENOTDIR: "is not a folder; check the path (it is looked for under {roots})",
    errno.EISDIR: "is a folder; name a file in it",
    errno.ENOTEMPTY: "is a folder that is not empty; delete or move what is in it first",
    errno.EEXIST: "is there already; choose another path, or set 'overwrite' to replace a file",
    errno.EACCES: "cannot be used: the worker (user id {user}) has no permission; give it, or choose another folder",
    errno.EPERM: "cannot be used: the worker (user id {user}) has no permission; give it, or choose another folder",
    errno.EROFS: "is on a file system that cannot be written to; choose another folder, or mount it for writing",
    errno.ENXIO: "is a pipe, a socket or a device, not a file; the file TDE opens none of them",
    errno.ENAMETOOLONG: "is too long a name for the file system; choose a shorter one",
    errno.EXDEV: "is a folder that would move to another file system; copy its files one by one",
    errno.EINVAL: "cannot be moved into itself, or is a name that the file system does not take",
}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FileFailed(Exception):
    """The operation failed and may succeed another time, so the runtime tries the job again."""


def explain(error: OSError, *, where: str, path: str, roots: str) -> Exception:
    """Turns the system's error into one that says what to do.

    What a person has to mend (path, permission, kind of file) ends the job for good; a full disk and errors of the disk
    are left to the runtime's retries.
    """
    culprit = error.filename if isinstance(error.filename, str) and error.filename.startswith("/") else path
    if error.errno in _FOR_GOOD:
        return GiveUp(f"{where}: {culprit} {_FOR_GOOD[error.errno].format(roots=roots, user=os.geteuid())}")
    if error.errno in _FULL:
        return FileFailed(
            f"{where}: no space is left for {culprit} ({error.strerror}); free some or raise the quota."
            " What was there before is unchanged"
        )
    return FileFailed(f"{where}: {culprit} failed with: {error.strerror or type(error).__name__}; look at the disk")
