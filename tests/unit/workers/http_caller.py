"""Calls the TDE `http` as the function that it is."""

import socket
from pathlib import Path

from procos_workers.http import http
from procos_workers.http_answer import HttpOutput
from procos_workers.http_config import HttpConfig
from procos_workers.http_request import HttpInput
from tests.unit.workers.context import task_context


async def call(url: str, config: HttpConfig | None = None, **fields: object) -> HttpOutput:
    request = HttpInput.model_validate({"url": url, **fields})
    return await http(request, task_context(config or HttpConfig(), Path("/nowhere")))


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
