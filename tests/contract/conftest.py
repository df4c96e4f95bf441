"""The same tests on FakeEngine and on three real engines; how these differ is written down in `KINDS`.

For development, CONTRACT_ENGINE_ADDRESS names a running gateway that stands for 8.6.0.
"""

import asyncio
import contextlib
import itertools
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from procos.adapters.zeebe.connection import Connection
from procos.errors import EngineOverloaded
from procos.model.deployment import Deployment, Resource
from procos.model.job import Job
from procos.ports.engine import Engine
from procos.ports.jobs import JobSource
from procos.testing import FakeEngine, ManualClock
from procos.wiring.engines import connect_to
from tests.contract.engines import shared_between_workers, zeebe_8_5
from tests.contract.processes import one_task
from tests.engine.conftest import anyio_backend, shared  # noqa: F401 - fixtures, used by name
from tests.servers.zeebe_8_8 import zeebe_8_8

LEASE = timedelta(seconds=60)
FOR_A_JOB = timedelta(seconds=10)
"""How long a test waits for a job that must come."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """An engine, and where it differs from the others; the tests hold each difference as a fact."""

    version: str
    pushes_to_streams: bool = True
    waits_for_jobs: bool = True
    ends_waiting_for_results: bool = True
    takes_requests_for_no_jobs: bool = True
    asks_boundary_events_for_outgoing: bool = True
    says_why_json_is_wrong: bool = True
    gives_the_oldest_job_first: bool = True
    tenant_id: str = "<default>"


KINDS = {
    "fake": Kind(version="8.6.0"),
    "8.6.0": Kind(version="8.6.0"),
    # Nothing that the ports promise differs between 8.5.8 and 8.6.0.
    "8.5.8": Kind(version="8.5.8"),
    # Camunda's in-memory engine has a small gateway of its own, and most of this is that gateway's doing.
    "8.8.21": Kind(
        version="8.8.21",
        pushes_to_streams=False,  # takes the request for a stream, and says nothing ever after
        waits_for_jobs=False,  # answers a request that finds no job at once
        ends_waiting_for_results=False,  # only the client's own limit ends it
        takes_requests_for_no_jobs=False,  # the broker's: 8.5 and 8.6 answer with no jobs
        asks_boundary_events_for_outgoing=False,  # the broker's: 8.5 and 8.6 ask for <outgoing> inside the event
        says_why_json_is_wrong=False,  # an error of the server, with no reason
        gives_the_oldest_job_first=False,  # mostly it does
        tenant_id="",
    ),
}


@dataclass(kw_only=True)
class Subject:
    """The engine under test."""

    name: str
    kind: Kind
    engine: Engine
    jobs: JobSource
    clock: ManualClock | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_name(self, stem: str = "contract") -> str:
        """A process id or job type that nobody has used, on an engine that others may use, too."""
        return f"{stem}-{uuid.uuid4().hex[:8]}-{next(self._numbers)}"

    async def pass_time(self, by: timedelta) -> None:
        """Leases and backoffs that take no longer than `by` are over."""
        if self.clock is None:
            await asyncio.sleep(by.total_seconds())
        else:
            self.clock.advance(by)

    async def deploy(self, *texts: str) -> Deployment:
        return await self.engine.deploy([Resource(f"{n}.bpmn", text.encode()) for n, text in enumerate(texts, 1)])

    async def start(self, variables: dict[str, Any] | None = None, **options: Any) -> str:
        """An instance of a new process with one task; gives the id, which is the job type as well."""
        name = self.new_name()
        await self.deploy(one_task(name, name, **options))
        await self.engine.create_instance(name, variables=variables)
        return name

    async def take(self, job_type: str, **options: Any) -> Job:
        """The job of that type that must be there, or come."""
        request = {"worker": "test", "max_jobs": 1, "lease": LEASE, "wait": FOR_A_JOB} | options
        give_up_at = time.monotonic() + FOR_A_JOB.total_seconds()
        while time.monotonic() < give_up_at:
            # A real engine may always say that it is busy; a worker asks again, too.
            with contextlib.suppress(EngineOverloaded):
                jobs = await self.jobs.activate(job_type, **request)
                if jobs:
                    (job,) = jobs
                    return job
            await asyncio.sleep(0.05)
        raise AssertionError(f"there is no job of type {job_type}")

    async def free_jobs(self, job_type: str) -> list[Job]:
        """The jobs that can be taken now, without waiting."""
        return await self.jobs.activate(job_type, worker="test", max_jobs=100, lease=LEASE)


@pytest.fixture(
    scope="session",
    params=[
        "fake",
        pytest.param("8.6.0", marks=pytest.mark.engine),
        pytest.param("8.5.8", marks=pytest.mark.engine),
        pytest.param("8.8.21", marks=pytest.mark.engine),
    ],
)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The name of the kind, and the address of its engine, which runs as long as it is needed."""
    name: str = request.param
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    if name == "fake":
        yield name, ""
    elif name == "8.8.21":
        with shared_between_workers(root / "contract-8-8", zeebe_8_8) as address:
            yield name, address
    elif name == "8.5.8":
        with shared_between_workers(root / "contract-8-5", lambda: zeebe_8_5(root / "contract-8-5-home")) as address:
            yield name, address
    elif "CONTRACT_ENGINE_ADDRESS" in os.environ:
        yield name, os.environ["CONTRACT_ENGINE_ADDRESS"]
    else:
        yield name, request.getfixturevalue("shared").state()["address"]


@pytest.fixture(scope="session")
async def subject(running: tuple[str, str]) -> AsyncIterator[Subject]:
    name, address = running
    if name == "fake":
        clock = ManualClock()
        fake = FakeEngine(clock=clock)
        yield Subject(name=name, kind=KINDS[name], engine=fake, jobs=fake, clock=clock)
        return
    async with connect_to(Connection(address=address)) as session:
        yield Subject(name=name, kind=KINDS[name], engine=session.engine, jobs=session.jobs)
