"""The heartbeat's own elements, worked on by loops that know every answer: what the engine itself can do of them.

The copies of `procos-task-run` and of the process of `file` have the elements, variables and commands of the real ones;
no router, ledger or check costs anything here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from procos.authoring.tde_process import process_id, tde_process
from procos.errors import EngineError, EngineNotFound
from procos.kernel.heartbeat.options import HeartbeatOptions, iso
from procos.kernel.heartbeat.plan import Plan
from procos.kernel.heartbeat.tagging import Tagger
from procos.kernel.plugins import discover
from procos.model.deployment import Resource
from procos.model.job import Completed, Job
from procos.testing.memory_definitions import MemoryDefinitions
from procos.wiring.engines import EngineSession
from procos_workers.file_task import FileOutput, answer_for

ROOT: Final = Path(__file__).parents[2]
PROCESS: Final = "bare-unclaimed"
_TASK: Final = "bare.task"
_TDE: Final = "bare.tde.file"
_RESULT: Final = answer_for(Path("/no/such/file.txt"), exists=False).model_dump(mode="json")
_LEASE: Final = timedelta(minutes=10)
_AT_ONCE: Final = 32
_LOOPS: Final = 2
"""Requests for jobs of one type under way at the same time: while one is worked on, the other waits."""


async def deploy(session: EngineSession, claimed: str) -> None:
    """Deploys the copies; `claimed` is the BPMN of a process with one `tde.file` task, called `bench-claimed`."""
    (found,) = [it.tde.manifest() for it in discover().tdes if it.tde.name == "file"]
    manifest = found.model_copy(update={"name": "bare-file", "job_type": _TDE})
    task_run = (ROOT / "bpmn" / "kernel" / "task-run.bpmn").read_text(encoding="utf-8")
    for name, text in (
        ("bare-file", tde_process(manifest)),
        (
            "bare-task-run",
            task_run.replace('"procos.', '"bare.procos.').replace('"procos-task-run"', '"bare-task-run"'),
        ),
        (PROCESS, claimed.replace("bench-claimed", PROCESS).replace("tde.file", _TASK)),
    ):
        await session.engine.deploy([Resource(f"{name}.bpmn", text.encode())])


async def work(session: EngineSession) -> None:
    """Works on their jobs until it is cancelled."""
    parents: dict[int, Job] = {}
    tagger = Tagger(MemoryDefinitions())
    plan = Plan(
        outcome="run", tde="file", process_id=process_id("bare-file"), stage="task", confidence=1,
        inputs=("operation", "path"), outputs=tuple(FileOutput.model_fields),
    )  # fmt: skip

    async def hand_over(job: Job) -> None:
        parents[job.key] = job
        variables = {
            "procosTask": (await tagger.tag(job)).model_dump(mode="json"),
            "procosRenewEvery": iso(HeartbeatOptions().renew_every),
            "correlationId": str(job.process_instance_key),
        }
        await session.engine.publish_message(
            "bare.procos.task.detected", correlation_key=str(job.key), variables=variables
        )

    async def route(job: Job) -> None:
        await session.jobs.renew(parents[job.variables["procosTask"]["job_key"]], _LEASE)
        inputs = {"operation": "exists", "path": "1.txt"}
        await session.jobs.deliver(job, Completed({"procosRoute": plan.model_dump(mode="json"), **inputs}))

    async def execute(job: Job) -> None:
        await session.jobs.deliver(job, Completed(_RESULT))

    async def keep(job: Job) -> None:
        await session.jobs.renew(parents[job.variables["procosTask"]["job_key"]], _LEASE)
        await session.jobs.deliver(job, Completed({}))

    async def give_back(job: Job) -> None:
        parent = parents.pop(job.variables["procosTask"]["job_key"])
        await _insist(lambda: session.jobs.deliver(parent, Completed(_RESULT)))
        await session.jobs.deliver(job, Completed({"procosDelivered": "done", "procosOutput": dict(_RESULT)}))

    steps: dict[str, Callable[[Job], Awaitable[None]]] = {
        _TASK: hand_over,
        "bare.procos.task.route": route,
        _TDE: execute,
        "bare.procos.task.keep": keep,
        "bare.procos.task.deliver": give_back,
    }
    await asyncio.gather(*(_loop(session, it, step) for it, step in steps.items() for _ in range(_LOOPS)))


async def _loop(session: EngineSession, job_type: str, step: Callable[[Job], Awaitable[None]]) -> None:
    async def one(job: Job) -> None:
        await _insist(lambda: step(job))

    while True:
        jobs: list[Job] = []

        async def ask(into: list[Job] = jobs) -> None:
            wait = timedelta(seconds=20)
            into += await session.jobs.activate(job_type, worker="bare", max_jobs=_AT_ONCE, lease=_LEASE, wait=wait)

        await _insist(ask)
        await asyncio.gather(*(one(job) for job in jobs))


async def _insist(step: Callable[[], Awaitable[Any]]) -> None:
    """Tries again where the engine is overloaded; what is gone has been done."""
    while True:
        try:
            await step()
        except EngineNotFound:
            return
        except EngineError:
            await asyncio.sleep(0.05)
        else:
            return
