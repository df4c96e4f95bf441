"""A Maven repository on loopback that serves a small engine, and misbehaves when it is told to."""

import contextlib
import hashlib
import io
import json
import random
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from procos.adapters.embedded.catalogue import Distribution

INSTALLER = Path(__file__).with_name("installer.py")


def make_archive(folder: str, *, content: Mapping[str, bytes] | None = None) -> bytes:
    """A distribution's archive; its programs are not executable, as if the archive had lost that."""
    files = content or {"bin/broker": b"#!/bin/sh\n", "bin/broker.bat": b"rem\n", "lib/zeebe-broker-1.2.3.jar": b"jar"}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def facts_of(archive: bytes, *, version: str = "1.2.3", unpacked_size: int = 100_000) -> Distribution:
    return Distribution(
        version=version,
        sha256=hashlib.sha256(archive).hexdigest(),
        size=len(archive),
        unpacked_size=unpacked_size,
        licence="none",
    )


@dataclass
class Repository:
    """What the server sends, and what it was asked for."""

    address: str
    archive: bytes
    distribution: Distribution
    status: int = 200
    head_status: int | None = None
    sha1: bytes | None = None
    break_off_after: int | None = None
    hold_after: int | None = None
    held: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    fetches: int = 0

    def serve(self, archive: bytes, **facts: Any) -> None:
        """Serves another archive, with true facts but for those given."""
        self.archive = archive
        self.distribution = replace(facts_of(archive), **facts)

    @property
    def distributions(self) -> dict[str, Distribution]:
        return {self.distribution.version: self.distribution}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    repository: Repository

    def do_HEAD(self) -> None:
        self._head(0, status=self.repository.head_status)

    def do_GET(self) -> None:
        repository = self.repository
        if self.path.endswith(".sha1"):
            self._head(len(repository.sha1 or b""), status=404 if repository.sha1 is None else 200)
            self.wfile.write(repository.sha1 or b"")
            return
        repository.fetches += 1
        if repository.status != 200 or not self.path.endswith(repository.distribution.repository_path):
            self._head(0)
            return
        self._head(len(repository.archive))
        with contextlib.suppress(ConnectionError):  # the client was killed
            self._send(repository)

    def _send(self, repository: Repository) -> None:
        if repository.break_off_after is not None:
            self.wfile.write(repository.archive[: repository.break_off_after])
            self.close_connection = True
            return
        start = repository.hold_after or 0
        self.wfile.write(repository.archive[:start])
        self.wfile.flush()
        if repository.hold_after is not None:
            repository.held.set()
            repository.go_on.wait(60)
        self.wfile.write(repository.archive[start:])

    def _head(self, length: int, *, status: int | None = None) -> None:
        self.send_response(status or self.repository.status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def repository() -> Iterator[Repository]:
    # Incompressible, so that half an archive is some packets long.
    noise = random.Random(7).randbytes(300_000)  # noqa: S311 - not for secrecy
    archive = make_archive(
        "camunda-zeebe-1.2.3",
        content={"bin/broker": b"#!/bin/sh\n", "bin/broker.bat": b"rem\n", "lib/zeebe-broker-1.2.3.jar": noise},
    )
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    served = Repository(
        address=f"http://127.0.0.1:{server.server_port}/maven", archive=archive, distribution=facts_of(archive)
    )
    handler.repository = served  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield served
    served.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Installer:
    """`install()` in a process of its own, which may be started under another program."""

    repository: Repository
    nowhere: Path

    def start(self, cache: Path, *, under: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        facts = asdict(self.repository.distribution)
        arguments = {
            "cache": str(cache),
            "repository": self.repository.address,
            "local": str(self.nowhere),
            "facts": facts,
        }
        return subprocess.Popen(
            [*under, sys.executable, str(INSTALLER), json.dumps(arguments)], stdout=subprocess.PIPE, text=True
        )

    def run(self, cache: Path, *, under: tuple[str, ...] = ()) -> dict[str, Any]:
        """What came of it: {"engine": PATH}, or {"error": TYPE, "message": …, "hint": …}."""
        output, _ = self.start(cache, under=under).communicate(timeout=60)
        outcome: dict[str, Any] = json.loads(output.splitlines()[-1])
        return outcome


@pytest.fixture
def installer(repository: Repository, tmp_path: Path) -> Installer:
    return Installer(repository, tmp_path / "no-local-repository")


@pytest.fixture
def small_disk(tmp_path: Path) -> Callable[[int], tuple[tuple[str, ...], Path]]:
    """A prefix for a command that sees a tmpfs of some megabytes, and the folder where it sees it."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    for isolate in (("unshare", "--mount", "--map-root-user"), ("unshare", "--mount")):
        if (
            shutil.which("unshare")
            and not subprocess.run([*isolate, "true"], check=False, capture_output=True).returncode
        ):
            break
    else:
        pytest.fail("this test mounts a small tmpfs, which needs root or user namespaces (unshare --map-root-user)")

    def under(megabytes: int) -> tuple[tuple[str, ...], Path]:
        mount = f'mount -t tmpfs -o size={megabytes}m tmpfs "$0" && exec "$@"'
        return (*isolate, "sh", "-c", mount, str(folder)), folder

    return under


@pytest.fixture
def archive_of() -> Callable[..., bytes]:
    return make_archive
