"""A distribution's archive: is it the right one, and unpacking it."""

import hashlib
import tarfile
import zlib
from pathlib import Path
from typing import Any

from procos.adapters.embedded.catalogue import Distribution
from procos.adapters.embedded.progress import Progress
from procos.errors import EngineInstallError

# Python 3.11.0 to 3.11.3 have no extraction filters; what is unpacked has passed its checksum by then.
_SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
_EXECUTABLE = 0o755


def find_damage(archive: Path, distribution: Distribution, progress: Progress) -> str | None:
    """What is wrong with the archive, in words, or None when size and sha256 are as pinned.

    Raises:
        OSError: it cannot be read.
    """
    size = archive.stat().st_size
    if size != distribution.size:
        return f"it has {size} bytes instead of {distribution.size}"
    progress(f"checking {distribution.folder_name}", 0, size)
    with archive.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    if sha256 != distribution.sha256:
        return f"its sha256 is {sha256} instead of {distribution.sha256}"
    return None


def unpack(archive: Path, *, into: Path, distribution: Distribution, progress: Progress) -> Path:
    """Unpacks below `into`, makes the programs in `bin` executable, and returns the distribution's folder.

    Raises:
        EngineInstallError: the archive is broken, or holds something else.
        OSError: writing failed.
    """
    try:
        _extract(archive, into, distribution, progress)
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise EngineInstallError(f"the engine's archive {archive.name} cannot be unpacked: {error}") from error
    engine = into / distribution.folder_name
    programs = [file for file in (engine / "bin").glob("*") if file.suffix != ".bat"]
    if not programs:
        raise EngineInstallError(f"the archive {archive.name} holds no {distribution.folder_name}/bin")
    for program in programs:
        program.chmod(_EXECUTABLE)
    return engine


def _extract(archive: Path, into: Path, distribution: Distribution, progress: Progress) -> None:
    done = 0
    with tarfile.open(archive, "r:gz") as members:
        for member in members:
            members.extract(member, into, **_SAFELY)
            done += member.size
            progress(f"unpacking {distribution.folder_name}", done, distribution.unpacked_size)
