"""Processes played on the real engine with workers made by hand: one job after another, as a test says."""

import contextlib
import uuid
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from procos.adapters.record_log import RecordLog
from procos.kernel.instance_progress import InstanceProgress
from procos.model.deployment import Resource
from procos.model.job import Completed, ErrorThrown, Failed, Job
from procos.wiring.engines import EngineSession

BPMN = Path(__file__).parents[2] / "bpmn"
_SOON = timedelta(seconds=30)
_SHARED_NAMES = ("procos.", "procos-", "governance-", "handle-an-order", "tde-probabilistic", "order.", "shop.")


class Stage:
    """A place of one test's own on the shared engine: names of processes, jobs and messages carry its prefix.

    Kernels on that engine run the real processes; nothing of theirs meets what is played here.
    """

    def __init__(self, session: EngineSession, records: Path) -> None:
        self.session = session
        self.prefix = f"t{uuid.uuid4().hex[:10]}"
        self._tail = RecordLog(records).tail()

    def close(self) -> None:
        """Lets go of the engine's records."""
        self._tail.close()

    async def deploy(self, *files: str, instead: Mapping[str, str] | None = None) -> str:
        """Deploys copies of files under bpmn/, and returns the id of the last process; `instead` replaces text."""
        process_id = ""
        for file in files:
            text = (BPMN / file).read_text(encoding="utf-8")
            for old, new in (instead or {}).items():
                assert old in text, f"{file} does not hold {old}"
                text = text.replace(old, new)
            for name in _SHARED_NAMES:
                text = text.replace(f'"{name}', f'"{self.prefix}{name}')
            deployment = await self.session.engine.deploy([Resource(f"{self.prefix}{Path(file).name}", text.encode())])
            (process_id,) = deployment.process_ids
        return process_id

    async def tell(self, message: str, key: str, *, ttl: timedelta = timedelta(0), **variables: object) -> bool:
        """Publishes a message of this stage."""
        return await self.session.engine.publish_message(
            self.prefix + message, correlation_key=key, variables=variables, ttl=ttl
        )

    async def take(self, job_type: str, *, wait: timedelta = _SOON) -> Job:
        """The next job of a type of this stage."""
        jobs = await self._activate(self.prefix + job_type, wait)
        assert jobs, f"no job of type {job_type} came"
        return jobs[0]

    async def take_task(self) -> Job:
        """The next task with a plain name."""
        return await self.take("procos.task")

    async def take_user_task(self, process_instance_key: int) -> Job:
        """The user task of an instance; those of other tests are handed back at once."""
        while True:
            jobs = await self._activate("io.camunda.zeebe:userTask", _SOON)
            assert jobs, "no user task came"
            (job,) = jobs
            if job.process_instance_key == process_instance_key:
                return job
            await self.session.jobs.deliver(job, Failed("", retries=job.retries, backoff=timedelta(seconds=1)))

    async def has_none(self, job_type: str) -> bool:
        """Whether no job of the type is there now."""
        return not await self._activate(self.prefix + job_type, timedelta(0))

    async def complete(self, job: Job, **variables: object) -> None:
        await self.session.jobs.deliver(job, Completed(variables))

    async def complete_all(self, job_type: str) -> None:
        """Completes the jobs of a type as they come, until it is cancelled."""
        while True:
            for job in await self._activate(self.prefix + job_type, _SOON):
                await self.complete(job)

    async def throw(self, job: Job, code: str, **variables: object) -> None:
        await self.session.jobs.deliver(job, ErrorThrown(code, "thrown by a test", variables))

    async def fail(self, job: Job, *, retries: int = 0) -> None:
        await self.session.jobs.deliver(job, Failed("failed by a test", retries=retries))

    async def end_of(self, process_instance_key: int) -> InstanceProgress:
        """What an instance did, as soon as it has ended; an incident on the way fails the test."""
        progress = InstanceProgress(process_instance_key)
        async with contextlib.aclosing(self._tail.of_instance(process_instance_key)) as records:
            async for record in records:
                assert (record.value_type, record.intent) != ("INCIDENT", "CREATED"), record.value
                progress.apply(record)
        return progress

    async def _activate(self, job_type: str, wait: timedelta) -> list[Job]:
        lease = timedelta(minutes=5)
        return await self.session.jobs.activate(job_type, worker="test", max_jobs=1, lease=lease, wait=wait)


def completed(progress: InstanceProgress) -> set[str]:
    """The elements that came to their end."""
    return {name for name, step in progress.steps.items() if step.status == "completed"}


def variables_at_end(progress: InstanceProgress, *names: str) -> dict[str, Any]:
    """Some of the variables of the instance."""
    return {name: progress.variables.get(name) for name in names}
