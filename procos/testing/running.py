"""The product's own workers, run for as long as a test needs them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from procos.ports.jobs import JobSource
from procos.runtime.worker import Worker
from procos.sdk.registration import Tde
from procos.testing.preparation import prepared


@contextlib.asynccontextmanager
async def workers(
    source: JobSource,
    *tdes: Tde[..., Any],
    secrets: Mapping[str, str] | None = None,
    configs: Mapping[str, Mapping[str, Any] | BaseModel] | None = None,
    data_folder: Path | None = None,
    slots: int = 32,
    lease: timedelta = timedelta(seconds=60),
) -> AsyncIterator[None]:
    """Runs a worker for each of `tdes` on `source`, a `FakeEngine` for example, inside `async with`.

    `configs` are the TDEs' settings by the TDE's name. At the end, jobs in hand are stopped and handed back.

    Raises:
        TypeError: one of `tdes` is no TDE.
        SettingsError: a setting is wrong.
    """
    made = [
        Worker(
            execution=prepared(
                tde,
                secrets=secrets,
                config=(configs or {}).get(tde.name),
                data_folder=data_folder / tde.name if data_folder else None,
                kept_by=tde,
            ),
            source=source,
            name="test",
            slots=slots,
            lease=lease,
        )
        for tde in tdes
    ]
    tasks = [asyncio.create_task(worker.run(), name=f"worker {worker.job_type}") for worker in made]
    try:
        yield
    finally:
        await asyncio.gather(*(worker.drain(timedelta(0)) for worker in made))
        await asyncio.gather(*tasks)
