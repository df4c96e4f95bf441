"""Getting the engine onto this machine, whole or not at all."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from procos.adapters.embedded.archive import find_damage, unpack
from procos.adapters.embedded.catalogue import DISTRIBUTIONS, Distribution
from procos.adapters.embedded.fetch import fetch
from procos.adapters.embedded.fetch_errors import damaged, name_of
from procos.adapters.embedded.install_errors import refuse_full_disk, told_apart
from procos.adapters.embedded.locks import exclusively
from procos.adapters.embedded.progress import Progress, silent
from procos.errors import UsageError

__all__ = ["install", "installed", "read_version", "Distribution", "DISTRIBUTIONS"]

_BROKER_JAR = re.compile(r"zeebe-broker-(\d.*)\.jar")


def install(
    version: str,
    *,
    cache: Path,
    repository: str | None = None,
    progress: Progress = silent,
    local_repository: Path | None = None,
    distributions: Mapping[str, Distribution] = DISTRIBUTIONS,
) -> Path:
    """The folder of an installed engine, fetched first when it is not there; two callers share one fetch.

    `repository` is a Maven mirror's address; `local_repository`, by default `~/.m2/repository`, is looked into first.

    Raises:
        UsageError: the version is not known, or the mirror's address is not one.
        EngineInstallError: fetching, checking or unpacking failed; says which, and what to do.
        MissingExtraError: a fetch is needed, and the library for it is not installed.
    """
    distribution = _known(version, distributions)
    if engine := _find(distribution, cache):
        return engine
    engines = cache / "engines"
    with told_apart(engines):
        engines.mkdir(parents=True, exist_ok=True)
        lock = engines / f".{distribution.folder_name}.lock"
        with exclusively(lock, waiting_for="waiting for another fetch", progress=progress):
            if engine := _find(distribution, cache):
                return engine
            _remove_leftovers(engines, distribution)
            work = Path(tempfile.mkdtemp(prefix=_part_prefix(distribution), dir=engines))
            try:
                archive = _find_in(local_repository or Path.home() / ".m2" / "repository", distribution, progress)
                archive = archive or _fetch(distribution, work, repository, progress)
                refuse_full_disk(engines, distribution.unpacked_size)
                unpacked = unpack(archive, into=work, distribution=distribution, progress=progress)
                return _move_into_place(unpacked, engines / distribution.folder_name, work)
            finally:
                shutil.rmtree(work, ignore_errors=True)  # what cannot be removed now, the next install removes


def installed(version: str, *, cache: Path, distributions: Mapping[str, Distribution] = DISTRIBUTIONS) -> Path | None:
    """The folder of the installed engine, or None.

    Raises:
        UsageError: the version is not known.
    """
    return _find(_known(version, distributions), cache)


def read_version(engine_home: Path) -> str:
    """The version of the distribution in `engine_home`, read from its jars.

    Raises:
        UsageError: that is no distribution of Zeebe.
    """
    hint = "give the folder of an unpacked Camunda 8 distribution, the one that holds bin and lib"
    if not _is_engine(engine_home):
        raise UsageError(f"{engine_home} holds no engine: bin/broker or lib is missing", hint=hint)
    for jar in sorted((engine_home / "lib").iterdir()):
        if found := _BROKER_JAR.fullmatch(jar.name):
            return found[1]
    raise UsageError(f"{engine_home} holds no engine: there is no zeebe-broker jar in lib", hint=hint)


def _known(version: str, distributions: Mapping[str, Distribution]) -> Distribution:
    if version not in distributions:
        raise UsageError(
            f"engine version {version!r} is not known; known are {', '.join(distributions)}",
            hint="choose one of these, or give the folder of another distribution with --engine-home",
        )
    return distributions[version]


def _find(distribution: Distribution, cache: Path) -> Path | None:
    folder = cache / "engines" / distribution.folder_name
    return folder if _is_engine(folder) else None


def _is_engine(folder: Path) -> bool:
    return (folder / "bin" / "broker").is_file() and (folder / "lib").is_dir()


def _part_prefix(distribution: Distribution) -> str:
    return f".{distribution.folder_name}.part-"


def _remove_leftovers(engines: Path, distribution: Distribution) -> None:
    # Whoever holds the lock is alone, so these belong to nobody who lives.
    for part in engines.glob(f"{_part_prefix(distribution)}*"):
        shutil.rmtree(part)


def _find_in(local_repository: Path, distribution: Distribution, progress: Progress) -> Path | None:
    archive = local_repository / distribution.repository_path
    try:
        return archive if archive.is_file() and not find_damage(archive, distribution, progress) else None
    except OSError:  # a local repository that cannot be read is as good as none
        return None


def _fetch(distribution: Distribution, work: Path, repository: str | None, progress: Progress) -> Path:
    refuse_full_disk(work.parent, distribution.size + distribution.unpacked_size)
    archive = fetch(distribution, into=work / "repository", repository=repository, progress=progress)
    if damage := find_damage(archive, distribution, progress):
        raise damaged(name_of(repository), damage)
    return archive


def _move_into_place(unpacked: Path, engine: Path, work: Path) -> Path:
    if engine.exists():  # installed once, but somebody removed parts of it since
        engine.rename(work / "incomplete")
    return unpacked.rename(engine)
