"""Zeebe 8.8.21 for tests: Camunda's own in-memory test engine, run from source by a JDK, on a free port of loopback.

with zeebe_8_8() as address:     # 127.0.0.1:PORT, gRPC in plaintext; it ends with the block, or with this process
    ...

It is what the Java library for process tests runs on: no cluster, no disk, no REST, no exporter; its job streams
give nothing. Its jars (127 MB, pinned in zeebe_8_8/jars.txt with their sha256) come from the local Maven repository
where they are there, else from Maven, once. Without a JDK 21 or newer the tests fail and say so.
"""

import concurrent.futures
import contextlib
import hashlib
import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock
import requests
from jgo.maven import MavenContext

from procos.settings import load

VERSION = "8.8.21"

_HERE = Path(__file__).parent / "zeebe_8_8"
_OLDEST_JAVA = 21
_LOCAL_REPOSITORY = Path.home() / ".m2" / "repository"
_FETCH_TIMEOUT_S = 60


@dataclass(frozen=True)
class Jar:
    """A line of jars.txt."""

    path: str
    sha256: str

    def is_at(self, file: Path) -> bool:
        return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == self.sha256


@contextlib.contextmanager
def zeebe_8_8() -> Iterator[str]:
    """Runs the engine; gives its address."""
    port = _free_port()
    command = [
        str(_jdk() / "bin" / "java"), "-Xmx256m", "-XX:+IgnoreUnrecognizedVMOptions",
        "--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED",
        "-cp", os.pathsep.join(str(file) for file in class_path()), str(_HERE / "Engine.java"), str(port),
    ]  # fmt: skip
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as errors,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            for line in process.stdout:
                if line.strip() == "started":
                    break
            else:
                errors.seek(0)
                raise AssertionError(f"Zeebe {VERSION} did not start:\n{errors.read()[-4000:]}")
            yield f"127.0.0.1:{port}"
        finally:
            process.stdin.close()  # at which it ends
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def class_path() -> list[Path]:
    """The jars of the engine, fetched where they are not there."""
    jars = [_jar(line) for line in (_HERE / "jars.txt").read_text(encoding="utf-8").splitlines()]
    settings = load({}).values
    cache = settings.cache / "test-engines" / VERSION
    cache.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(cache / ".lock"), concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda jar: _find(jar, cache, settings.maven_repository), jars))


def _jar(line: str) -> Jar:
    coordinates, sha256 = line.split()
    group, artifact, version, *classifier = coordinates.split(":")
    name = "-".join([artifact, version, *classifier])
    return Jar(f"{group.replace('.', '/')}/{artifact}/{version}/{name}.jar", sha256)


def _find(jar: Jar, cache: Path, repository: str | None) -> Path:
    for file in (_LOCAL_REPOSITORY / jar.path, cache / Path(jar.path).name):
        if jar.is_at(file):
            return file
    address = repository or next(iter(MavenContext().remote_repos.values()))
    answer = requests.get(f"{address.rstrip('/')}/{jar.path}", timeout=_FETCH_TIMEOUT_S)
    answer.raise_for_status()
    part = file.with_suffix(".part")
    part.write_bytes(answer.content)
    part.replace(file)
    assert jar.is_at(file), f"{jar.path} is not the file whose sha256 jars.txt has"
    return file


def _jdk() -> Path:
    """A JDK that runs Java from source: JAVA_HOME, or the newest below /usr/lib/jvm."""
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    homes += sorted(Path("/usr/lib/jvm").glob("*"), key=_java_version, reverse=True)
    for home in homes:
        if _java_version(home) >= _OLDEST_JAVA and (home / "bin" / "javac").exists():
            return home
    raise AssertionError(f"no JDK {_OLDEST_JAVA} or newer: set JAVA_HOME, or install one below /usr/lib/jvm")


def _java_version(home: Path) -> int:
    release = home / "release"
    found = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(), re.MULTILINE) if release.is_file() else None
    return int(found[1]) if found else 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
