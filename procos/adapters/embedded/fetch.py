"""Fetching a distribution from a Maven repository."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from procos.adapters.embedded.catalogue import Distribution
from procos.adapters.embedded.fetch_errors import broken_off, checked_address, name_of, refused, unreachable
from procos.adapters.embedded.progress import Progress
from procos.errors import MissingExtraError

_TIMEOUT_SECONDS = 30
"""For connecting, and for each piece of the answer; a mirror that must fetch the file itself first needs a while."""


def fetch(distribution: Distribution, *, into: Path, repository: str | None, progress: Progress) -> Path:
    """Fetches the archive into the folder `into`, unchecked; `repository` is a mirror's address.

    Raises:
        EngineInstallError: the repository is out of reach, refused, or broke off; says which.
        UsageError: `repository` is not an address.
        MissingExtraError: the library that fetches is not installed.
        OSError: writing failed.
    """
    try:
        import requests  # noqa: PLC0415 - comes with an extra
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - comes with an extra
    except ImportError as error:
        raise MissingExtraError("the embedded engine", "engine") from error
    step = f"fetching {distribution.folder_name}"
    progress(step, 0, distribution.size)  # a repository may take its time before it answers
    received = _Received(step, progress)
    maven = MavenContext(
        resolver=PythonResolver(progress_callback=received.watch),
        repo_cache=into,
        remote_repos={"mirror": checked_address(repository)} if repository else None,
        timeout=_TIMEOUT_SECONDS,
    )
    address = next(iter(maven.remote_repos.values()))
    component = maven.project(distribution.group_id, distribution.artifact_id).at_version(distribution.version)
    archive = into / distribution.repository_path
    try:
        # A repository may serve an empty .sha1; jgo stumbles on it when the file is there. Our sha256 is what counts.
        with contextlib.suppress(IndexError):
            component.artifact(packaging="tar.gz").resolve()
    except requests.RequestException as error:
        if archive.exists():
            raise broken_off(name_of(repository), received.bytes, distribution.size, error) from error
        raise unreachable(name_of(repository), error) from error
    except RuntimeError as error:  # jgo's word for every status but 200, which it does not keep
        status = _ask_status(f"{address}/{distribution.repository_path}")
        raise refused(name_of(repository), distribution.folder_name, status) from error
    return archive


class _Received:
    def __init__(self, step: str, progress: Progress) -> None:
        self.bytes = 0
        self._step = step
        self._progress = progress

    @contextlib.contextmanager
    def watch(self, _name: str, total: int) -> Iterator[Callable[[int], None]]:
        def advance(count: int) -> None:
            self.bytes += count
            self._progress(self._step, self.bytes, total)

        yield advance


def _ask_status(address: str) -> int | None:
    import requests  # noqa: PLC0415 - comes with an extra

    try:
        return requests.head(address, timeout=_TIMEOUT_SECONDS, allow_redirects=True).status_code
    except requests.RequestException:  # it answered a moment ago; the refusal is then told without its status
        return None
