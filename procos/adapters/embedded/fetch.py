"""Fetching a distribution from a Maven repository."""

import contextlib
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

from procos.adapters.embedded.catalogue import Distribution
from procos.adapters.embedded.fetch_errors import broken_off, checked_address, name_of, refused, unreachable
from procos.adapters.embedded.progress import Progress
from procos.errors import MissingExtraError

_GO_ON = frozenset({HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.TOO_MANY_REQUESTS})
"""Answers to the first question that tell nothing of the file; when asked too often, jgo waits and asks again."""

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
    where, what = name_of(repository), distribution.folder_name
    component = maven.project(distribution.group_id, distribution.artifact_id).at_version(distribution.version)
    archive = into / distribution.repository_path
    try:
        # jgo keeps neither the status nor its connection when it is refused, so we ask before it does.
        status = _ask(f"{next(iter(maven.remote_repos.values()))}/{distribution.repository_path}")
        if status >= HTTPStatus.BAD_REQUEST and status not in _GO_ON:
            raise refused(where, what, status)
        # A repository may serve an empty .sha1; jgo stumbles on it when the file is there. Our sha256 is what counts.
        with contextlib.suppress(IndexError):
            component.artifact(packaging="tar.gz").resolve()
    except requests.RequestException as error:
        if archive.exists():
            raise broken_off(where, received.bytes, distribution.size, error) from error
        raise unreachable(where, error) from error
    except RuntimeError as error:  # jgo's word for a refusal
        raise refused(where, what, None) from error
    return archive


def _ask(address: str) -> int:
    import requests  # noqa: PLC0415 - comes with an extra

    return requests.head(address, timeout=_TIMEOUT_SECONDS, allow_redirects=True).status_code


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
