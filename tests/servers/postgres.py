"""A real PostgreSQL for tests: Debian's own binaries, in a temporary folder, on a free port of loopback.

from tests.servers.postgres import postgres_fixture, postgres_url_fixture  # noqa: F401 - fixtures, used by name

def test_something(postgres_url):           # an empty database: postgresql+psycopg://procos:…@127.0.0.1:PORT/emptied
    ...

def test_something_else(postgres):          # the server that all tests of a process share
    first, second = postgres.create_database(), postgres.create_database()
    ...

with postgres_server() as server:           # a server of one's own, which may be stopped and started
    server.stop()
    server.start()

If there is no PostgreSQL and it cannot be installed, the tests fail and say what to do.
"""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import filelock
import psycopg
import pytest

USER = "procos"
PASSWORD = "postgres-test-pässword/@:%"

_SYSTEM_USER = "postgres"  # PostgreSQL refuses to run as root
_START_LIMIT_S = 60
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "32MB",
    "max_connections": "100",
}


@dataclass
class PostgresServer:
    """A server of ours; `url` leads to its first database, `postgres`."""

    binaries: Path
    data: Path
    port: int
    _process: subprocess.Popen[bytes] | None = None
    _has_emptied: bool = False
    _names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the database `postgres`, for psycopg, password included."""
        return self.url_of("postgres")

    def url_of(self, database: str, *, user: str = USER, password: str = PASSWORD) -> str:
        """The SQLAlchemy URL of a database on this server."""
        return f"postgresql+psycopg://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """Makes a fresh, empty database, and returns its URL."""
        name = f"test_{next(self._names)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url_of(name)

    def emptied_database(self) -> str:
        """The URL of one database, always the same, with nothing in it and nobody connected: quicker than a new one."""
        if not self._has_emptied:
            self.execute("CREATE DATABASE emptied")
            self._has_emptied = True
        with self.connect("emptied") as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = 'emptied' AND pid <> pg_backend_pid()"
            )
            schemas = connection.execute(
                "SELECT quote_ident(nspname) FROM pg_namespace"
                " WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
            ).fetchall()
            for (schema,) in schemas:
                connection.execute(f"DROP SCHEMA {schema} CASCADE".encode())
            connection.execute("CREATE SCHEMA public")
        return self.url_of("emptied")

    def execute(self, statement: str, *, database: str = "postgres") -> None:
        """Runs a statement as the superuser, outside a transaction."""
        with self.connect(database) as connection:
            connection.execute(statement.encode())

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A connection of the superuser, without a transaction around each statement."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=database, autocommit=True
        )

    def start(self) -> None:
        """Starts the server and waits until it takes connections."""
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        command = [str(self.binaries / "postgres"), "-D", str(self.data), f"--port={self.port}", *settings]
        with (self.data / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_unprivileged(dies_with_us=True), *command], stdout=log, stderr=log, cwd=self.data
            )
        deadline = time.monotonic() + _START_LIMIT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log_text = (self.data / "server.log").read_text(errors="replace")
                self.stop()
                raise AssertionError(f"PostgreSQL did not start at port {self.port}; its log says:\n{log_text}")
            time.sleep(0.02)

    def stop(self, *, crash: bool = False) -> None:
        """Ends the server, if it runs, and its connections with it; in a `crash` it writes nothing more."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT if crash else signal.SIGINT)
            try:
                self._process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server of the caller's own, started; ended, and its folder removed, at the end."""
    binaries = _binaries()
    with tempfile.TemporaryDirectory(prefix="procos-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        password_file = folder / "password"
        password_file.write_text(PASSWORD, encoding="utf-8")
        data = folder / "data"
        data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            for path in (folder, password_file, data):
                shutil.chown(path, _SYSTEM_USER)
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", f"--username={USER}"]
        command = [str(binaries / "initdb"), "-D", str(data), f"--pwfile={password_file}", *options]
        done = subprocess.run([*_unprivileged(), *command], capture_output=True, text=True, check=False, cwd=folder)
        assert done.returncode == 0, f"initdb failed:\n{done.stdout}\n{done.stderr}"
        server = _started(lambda: PostgresServer(binaries, data, _free_port()))
        try:
            yield server
        finally:
            server.stop(crash=True)  # the folder goes too


def _started(make: Callable[[], PostgresServer]) -> PostgresServer:
    """Another program may take the port between choosing and using it, so a second and a third are tried."""
    for attempt in (1, 2, 3):
        server = make()
        try:
            server.start()
        except AssertionError:
            if attempt == 3 or "could not bind" not in (server.data / "server.log").read_text(errors="replace"):
                raise
        else:
            return server
    raise AssertionError("the last attempt returns or raises")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _unprivileged(*, dies_with_us: bool = False) -> list[str]:
    """What has to stand before a command of PostgreSQL's so that root may give it."""
    if not shutil.which("setpriv"):
        return []
    death = ["--pdeathsig", "SIGQUIT"] if dies_with_us else []
    if os.geteuid() != 0:
        return ["setpriv", *death, "--"] if death else []
    return ["setpriv", "--reuid", _SYSTEM_USER, "--regid", _SYSTEM_USER, "--init-groups", *death, "--"]


def _binaries() -> Path:
    """The folder with initdb and postgres; installs Debian's package where it is missing."""
    with filelock.FileLock(Path(tempfile.gettempdir()) / f"procos-postgres-install-{os.getuid()}.lock"):
        found = _installed()
        if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
            _install()
            found = _installed()
    assert found is not None, (
        "these tests need a PostgreSQL server of their own, and found no initdb: install PostgreSQL 15 or newer"
        " (apt-get install postgresql), or put its bin folder on the PATH"
    )
    return found


def _installed() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: folder.parent.name, reverse=True)
    on_path = shutil.which("initdb")
    folders += [Path(on_path).resolve().parent] if on_path else []
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def _install() -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "postgresql"]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)
        assert done.returncode == 0, (
            f"{' '.join(command)} failed; install PostgreSQL 15 by hand:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )


_shared: list[tuple[contextlib.ExitStack, PostgresServer]] = []
_users = 0


@pytest.fixture(scope="session", name="postgres")
def postgres_fixture() -> Iterator[PostgresServer]:
    """The server of this process; started by the first test that asks, however many modules import this fixture."""
    global _users  # noqa: PLW0603 - pytest makes one session fixture for each module that imports it
    if not _shared:
        stack = contextlib.ExitStack()
        _shared.append((stack, stack.enter_context(postgres_server())))
    _users += 1
    yield _shared[0][1]
    _users -= 1
    if _users == 0:
        stack, _ = _shared.pop()
        stack.close()


@pytest.fixture(name="postgres_url")
def postgres_url_fixture(postgres: PostgresServer) -> str:
    """The URL of an empty database, which the tests of a process use one after the other."""
    return postgres.emptied_database()
