"""The demo: the shipped example on real input, with a kernel and an engine of its own."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from procos.errors import EngineError
from procos.kernel.instance_progress import InstanceProgress
from procos.kernel.resource_files import element_names, read_resources
from procos.model.kernel_state import KernelState
from procos.resources import example
from procos.settings import Settings
from procos.wiring import deploying
from procos.wiring.boot import Ground, prepared_kernel
from procos.wiring.engines import EngineSession

EXAMPLE: Final = "licence_audit"
_LONGEST_RUN_S: Final = 300


@dataclass(frozen=True)
class DemoResult:
    """What happened: each step by the element's name, the instance's variables, and what the webhook received."""

    progress: InstanceProgress
    names: Mapping[str, str]
    posts: list[dict[str, Any]]


@dataclass
class Webhook:
    """A receiver for the report, on loopback."""

    url: str
    posts: list[dict[str, Any]] = field(default_factory=list)


def demo_settings(settings: Settings) -> Settings:
    """The settings with a home of the demo's own, its engine embedded, and the example's functions allowed."""
    home = settings.home / "demo"
    tables = {
        **settings.tde,
        "python": {"allow": [f"{EXAMPLE}.*"], "path": [str(example(EXAMPLE).parent)]},
        "file": {"roots": [str(home / "reports")]},
    }
    return settings.model_copy(update={"home": home, "address": None, "tde": tables})


async def play(settings: Settings, ground: Ground, webhook: Webhook, tell: Callable[[str], None]) -> DemoResult:
    """Boots the kernel, deploys and runs the example, and drains; `tell` hears of each stage.

    Raises:
        EngineError: the example did not end as drawn.
    """
    stop, ready = asyncio.Event(), asyncio.Event()

    def on_change(now: KernelState) -> None:
        if now.phase == "ready" and not ready.is_set():
            tell(f"kernel ready, TDEs: {', '.join(now.tdes)}")
            ready.set()

    async with prepared_kernel(settings, ground, on_change) as (kernel, session):
        running = asyncio.create_task(kernel.run(stop))
        try:
            waiting = asyncio.create_task(ready.wait())
            await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if running.done():
                await running
            return await _run_example(settings, session, webhook, tell)
        finally:
            stop.set()
            await running


async def _run_example(
    settings: Settings, session: EngineSession, webhook: Webhook, tell: Callable[[str], None]
) -> DemoResult:
    folder = example(EXAMPLE)
    (settings.home / "reports").mkdir(parents=True, exist_ok=True)
    resources = read_resources([folder / "licence-audit.bpmn"])
    done = await deploying.deploy(settings, session, resources, deployed_by="procos demo")
    deployed = done.deployment
    for notice in deploying.notices(done):
        tell(notice)
    tell(f"deployed '{deployed.process_ids[0]}', version {deployed.resources[0].version}")
    if session.records is None:
        raise EngineError("the demo needs the embedded engine's record log")
    tail = session.records.tail()
    variables = {"policy": str(folder / "policy.toml"), "webhook": webhook.url, "folder": "licence-audit"}
    instance = await session.engine.create_instance(deployed.process_ids[0], variables=variables)
    progress = InstanceProgress(instance.key)
    async with asyncio.timeout(_LONGEST_RUN_S):
        async for record in tail.of_instance(instance.key):
            step = progress.apply(record)
            if record.value_type == "INCIDENT" and step is not None:
                raise EngineError(f"the example stopped at '{step.element_id}': {step.trouble}")
    return DemoResult(progress, element_names(resources[0]), webhook.posts)


@contextlib.contextmanager
def serve_webhook() -> Iterator[Webhook]:
    """Serves the webhook for as long as the context lasts."""
    posts: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            posts.append(json.loads(body))
            self.send_response(202)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"received": true}')

        def log_message(self, *_: object) -> None:
            """Says nothing: the demo tells what was posted."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, name="webhook", daemon=True)
    thread.start()
    try:
        yield Webhook(f"http://127.0.0.1:{server.server_port}/licence-report", posts)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
