"""Calls the TDE `grpc` as the function that it is."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from procos_workers.grpc_answer import GrpcOutput
from procos_workers.grpc_call import grpc_call
from procos_workers.grpc_channels import close_unused
from procos_workers.grpc_config import GrpcConfig
from procos_workers.grpc_failure import GrpcFailed
from procos_workers.grpc_request import GrpcInput
from tests.unit.workers.context import task_context

NO_WAIT = GrpcConfig(longest_wait_seconds=0)


async def call(
    target: str, method: str, message: Any = None, config: GrpcConfig | None = None, **fields: Any
) -> GrpcOutput:
    request = GrpcInput.model_validate({"target": target, "method": method, "message": message, **fields})
    return await grpc_call(request, task_context(config or NO_WAIT, Path("/nowhere")))


async def until_connected(target: str, method: str, message: Any = None, **fields: Any) -> GrpcOutput:
    """The first call that reaches a server which has just (re)started: a channel waits a moment between attempts."""
    for _ in range(200):
        try:
            return await call(target, method, message, **fields)
        except GrpcFailed:
            await asyncio.sleep(0.05)
    return await call(target, method, message, **fields)


@pytest.fixture(autouse=True)
async def closed_channels(anyio_backend: str) -> AsyncIterator[None]:
    """In a module that imports it, no test leaves a connection to the next one's event loop."""
    yield
    await close_unused()
