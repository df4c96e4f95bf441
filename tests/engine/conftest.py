"""One real engine for all tests of a run, shared by the parallel workers of pytest; and what talks to it."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import pytest
from anyio import create_task_group

from procos.adapters.secrets import EnvironmentAndFile
from procos.resources import example
from procos.runtime.execution import Execution
from procos.runtime.worker import Worker
from procos.sdk.registration import Tde
from procos.settings import Settings, load
from procos.wiring.engines import EngineSession, connect, embedded_engine

pytestmark = pytest.mark.engine


CANARY = "canary-4f1d-sings-in-no-store"
"""The secret CANARY of the shared kernel; it must turn up nowhere."""


@dataclass(frozen=True)
class Procos:
    """The command line on one home, as a person runs it: in a process of its own."""

    home: Path
    environment: Mapping[str, str]

    def __call__(
        self, *arguments: object, timeout: float = 120, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments),
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"procos {arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "procos", *map(str, arguments)]

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def with_environment(self, **variables: str) -> "Procos":
        return Procos(self.home, {**self.environment, **variables})

    def state(self) -> dict[str, Any] | None:
        state: dict[str, Any] | None = json.loads(self("status", "--json", check=False).stdout)
        return state

    @property
    def settings(self) -> Settings:
        return load({}, environment=self.environment).values


def procos_in(home: Path, **variables: str) -> Procos:
    """A command line whose environment holds nothing of ours but the home and the shared cache of engines."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PROCOS_", "ZEEBE_", "CAMUNDA_"))}
    if "PROCOS_CACHE" in os.environ:
        kept["PROCOS_CACHE"] = os.environ["PROCOS_CACHE"]
    return Procos(home, {**kept, "PROCOS_HOME": str(home), "COLUMNS": "160", **variables})


@pytest.fixture
def procos(tmp_path: Path) -> Iterator[Procos]:
    """The command line on a home of the test's own; whatever runs there at the end is stopped."""
    command = procos_in(tmp_path / "home")
    yield command
    command("down", check=False)
    command("engine", "stop", check=False)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Procos]:
    """A home with an engine and a kernel that all tests share; they leave both as they found them."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    command = procos_in(
        root / "shared-home",
        PROCOS_TDE__FILE__ROOTS=json.dumps([str(root / "shared-files")]),
        PROCOS_TDE__PYTHON__ALLOW='["licence_audit.*"]',
        PROCOS_TDE__PYTHON__PATH=json.dumps([str(example("licence_audit").parent)]),
        PROCOS_SECRET_CANARY=CANARY,
        PROCOS_UNCLAIMED_INCLUDE="[]",  # the tests have workers of their own, which may be slow to come
    )
    (root / "shared-files").mkdir(exist_ok=True)
    users = root / "shared-users"
    with filelock.FileLock(root / "shared.lock"):
        count = int(users.read_text()) if users.exists() else 0
        if count == 0:
            command("boot", "--detach", timeout=300)
        users.write_text(str(count + 1))
    yield command
    with filelock.FileLock(root / "shared.lock"):
        count = int(users.read_text()) - 1
        users.write_text(str(count))
        if count == 0:
            command("down")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One loop for all tests of a process: gRPC's threads may still speak to the loop of a test that has ended."""
    return "asyncio"


@pytest.fixture(scope="session")
async def session(shared: Procos) -> AsyncIterator[EngineSession]:
    """A connection to the shared engine."""
    async with connect(shared.settings) as session:
        yield session


@pytest.fixture
def work(session: EngineSession, tmp_path: Path) -> Callable[..., contextlib.AbstractAsyncContextManager[Worker]]:
    """Runs a worker for a TDE of the test's on the shared engine, inside `async with work(tde):`."""

    @contextlib.asynccontextmanager
    async def working(tde: Tde[..., Any], **options: Any) -> AsyncIterator[Worker]:
        execution = Execution(
            tde=tde, config=tde.config_model(), secrets=EnvironmentAndFile(None), data_folder=tmp_path / tde.name
        )
        worker = Worker(execution=execution, source=session.jobs, name="test", **options)
        async with create_task_group() as group:
            group.start_soon(worker.run)
            try:
                yield worker
            finally:
                group.cancel_scope.cancel()

    return working


@pytest.fixture(scope="session")
def zbctl() -> Path:
    """Camunda's own command line, which comes with the distribution of 8.5.8."""
    settings = load({"engine_version": "8.5.8"}).values
    return embedded_engine(settings).install() / "bin" / "zbctl"
