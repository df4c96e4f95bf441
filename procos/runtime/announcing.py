"""A worker process says that it lives, so that the heartbeat leaves it its jobs."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Collection
from typing import Final

from procos.errors import StoreError
from procos.ports.worker_register import ALIVE_FOR, WorkerRegister

ANNOUNCE_EVERY_S: Final = ALIVE_FOR.total_seconds() / 4
_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def announced(register: WorkerRegister, job_types: Collection[str]) -> AsyncIterator[None]:
    """Announces a worker of these types, again and again for as long as the context lasts; then withdraws it."""
    worker = uuid.uuid4().hex
    await _announce(register, worker, job_types)
    again = asyncio.create_task(_again_and_again(register, worker, job_types), name="announce the workers")
    try:
        yield
    finally:
        again.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await again
        try:
            await register.withdraw(worker)
        except StoreError as error:
            _log.warning("these workers count as alive for %.0f s more: %s", ALIVE_FOR.total_seconds(), error)


async def _again_and_again(register: WorkerRegister, worker: str, job_types: Collection[str]) -> None:
    while True:
        await asyncio.sleep(ANNOUNCE_EVERY_S)
        await _announce(register, worker, job_types)


async def _announce(register: WorkerRegister, worker: str, job_types: Collection[str]) -> None:
    try:
        await register.announce(worker, job_types)
    except StoreError as error:
        _log.warning("kernels may take these workers for gone, and their jobs: %s", error)
