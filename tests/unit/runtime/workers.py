"""Workers on a MemoryJobs, made and stopped."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from procos.runtime.execution import Execution
from procos.runtime.journal import Journal
from procos.runtime.worker import Worker
from procos.sdk import RetryPolicy, Tde, tde
from procos.sdk.registration import NoConfig
from tests.unit.runtime.memory_jobs import MemoryJobs

AT_ONCE = RetryPolicy(first_backoff=timedelta(0))


def tde_of(function: Any, *, name: str = "some", **options: Any) -> Tde[..., Any]:
    """A TDE whose failed jobs are tried again at once."""
    return tde(name, description="Does something", **{"retry": AT_ONCE, "secrets": ("*",), **options})(function)


def worker_for(
    jobs: MemoryJobs,
    function: Any,
    *,
    slots: int = 4,
    lease: timedelta = timedelta(seconds=30),
    journal: Journal | None = None,
    streams: bool = True,
    secrets: Mapping[str, str] | None = None,
    **options: Any,
) -> Worker:
    """A worker that is not running yet."""
    made = function if isinstance(function, Tde) else tde_of(function, **options)
    execution = Execution(tde=made, config=NoConfig(), secrets=dict(secrets or {}), data_folder=Path("/srv"))
    return Worker(
        execution=execution, source=jobs, name="test", slots=slots, lease=lease, journal=journal, streams=streams
    )


@contextlib.asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[Worker]:
    """Runs the worker for as long as the context lasts."""
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        async with asyncio.timeout(10):
            await worker.drain(timedelta(0))
            await task


async def settle() -> None:
    """Lets everything happen that can happen without anything from outside."""
    for _ in range(50):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    """Waits until `condition` holds, where nothing tells when it does."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)
