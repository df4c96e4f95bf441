"""Tasks that nobody claims are found, routed, done and given back."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from procos.model.job import Completed
from procos.wiring.engines import EngineSession
from tests.engine.conftest import Procos
from tests.engine.heartbeat.watching import (
    create,
    deploy,
    ended,
    ends_of,
    eventually,
    files_of,
    incidents,
    last_position,
    named_task,
    resolve,
    started,
)
from tests.engine.processes import one_task

pytestmark = [pytest.mark.engine, pytest.mark.anyio, pytest.mark.xdist_group("heartbeat")]

A_WHILE = timedelta(seconds=60)


async def test_a_task_with_only_a_name_is_done_and_its_result_given_back(
    kernel: Procos, own: EngineSession, tmp_path: Path
) -> None:
    said = deploy(kernel, tmp_path, named_task("hb-name", "Is the file there?", {"tde": "file"}))
    assert "Is the file there?" in said
    variables = {"operation": "exists", "path": "nothing.txt", "mine": 1, "correlationId": "c-1"}
    result = await own.engine.create_instance_with_result("hb-name", variables=variables, timeout=A_WHILE)
    assert result.variables["exists"] is False
    assert result.variables["mine"] == 1
    assert not {name for name in result.variables if name.startswith(("procos", "tde"))}
    assert result.variables["correlationId"] == "c-1"


async def test_a_failure_becomes_an_incident_of_the_parent_after_its_retries(
    kernel: Procos, own: EngineSession, tmp_path: Path
) -> None:
    deploy(
        kernel,
        tmp_path,
        named_task("hb-fails", "Read it", {"tde": "file", "retryAttempts": "2", "retryBackoff": "PT0.1S"}),
    )
    before = last_position(kernel)
    variables = {"operation": "read", "path": "no-such-file.txt"}
    instance = await own.engine.create_instance("hb-fails", variables=variables)
    # The parent's job has three retries: the attempts of the first task run use two, the second has the last one.
    (incident,) = await asyncio.to_thread(eventually, lambda: incidents(kernel, instance.key))
    assert "no-such-file.txt" in incident.value["errorMessage"]
    assert len(started(kernel, "procos-task-run", before)) == 2
    assert len(started(kernel, "tde-file", before)) == 3
    await own.engine.cancel_instance(instance.key)


async def test_a_task_whose_incident_is_resolved_is_done(kernel: Procos, own: EngineSession, tmp_path: Path) -> None:
    headers = {"tde": "file", "retryAttempts": "3", "retryBackoff": "PT0.1S"}
    deploy(kernel, tmp_path, named_task("hb-resolved", "Read it", headers))
    key = await create(own, "hb-resolved", operation="read", path="later.txt")
    (incident,) = await asyncio.to_thread(eventually, lambda: incidents(kernel, key))
    (files_of(kernel) / "later.txt").write_text("there now")
    await resolve(own, incident)
    assert await asyncio.to_thread(eventually, lambda: ended(kernel, key)) == "ELEMENT_COMPLETED"


async def test_cancelling_the_parent_cancels_the_task_run_and_what_it_calls(
    kernel: Procos, own: EngineSession, tmp_path: Path
) -> None:
    deploy(kernel, tmp_path, named_task("hb-cancel", "Wait for it", {"tde": "wait-for"}))
    before = last_position(kernel)
    variables = {"tcp": {"host": "127.0.0.1", "port": 9}, "timeout": "PT1H"}
    instance = await own.engine.create_instance("hb-cancel", variables=variables)
    (run,) = await asyncio.to_thread(eventually, lambda: started(kernel, "procos-task-run", before))
    await own.engine.cancel_instance(instance.key)
    end = await asyncio.to_thread(eventually, lambda: ended(kernel, run.key))
    assert end == "ELEMENT_TERMINATED"


async def test_a_foreign_type_that_nobody_works_on_is_taken_after_the_grace_period(
    kernel: Procos, own: EngineSession, tmp_path: Path
) -> None:
    deploy(kernel, tmp_path, one_task("hb-foreign", "hb.nobody", headers={"tde": "file"}))
    variables = {"operation": "exists", "path": "nothing.txt"}
    result = await own.engine.create_instance_with_result("hb-foreign", variables=variables, timeout=A_WHILE)
    assert result.variables["exists"] is False


async def test_a_foreign_worker_keeps_its_job(kernel: Procos, own: EngineSession, tmp_path: Path) -> None:
    deploy(kernel, tmp_path, one_task("hb-theirs", "hb.theirs"))
    before = last_position(kernel)
    waiting = asyncio.create_task(
        own.jobs.activate(
            "hb.theirs", worker="other", max_jobs=1, lease=timedelta(minutes=1), wait=timedelta(seconds=20)
        )
    )
    await asyncio.sleep(0.2)
    await own.engine.create_instance("hb-theirs")
    (job,) = await waiting
    await asyncio.sleep(5)  # more than the grace period, and a scan
    await own.jobs.deliver(job, Completed())
    assert started(kernel, "procos-task-run", before) == []


async def test_a_bpmn_error_reaches_the_event_that_catches_it(
    kernel: Procos, own: EngineSession, tmp_path: Path
) -> None:
    text = named_task("hb-error", "Wait for the file", {"tde": "wait-for"}, catches="WAIT_TIMEOUT")
    deploy(kernel, tmp_path, text)
    variables = {"tcp": {"host": "127.0.0.1", "port": 9}, "timeout": "PT0S"}
    result = await own.engine.create_instance_with_result("hb-error", variables=variables, timeout=A_WHILE)
    assert result.variables["caught"] is True


SLOW_WORKER = """
import time
from pydantic import BaseModel
from procos.sdk import tde

class Nothing(BaseModel):
    pass

class Done(BaseModel):
    by_the_worker: bool = True

@tde("hb-slow", description="Takes longer than the grace period", job_type="hb.slow")
def slow(_: Nothing) -> Done:
    time.sleep(3)
    return Done()
"""


async def test_a_busy_worker_of_procos_keeps_its_jobs_until_it_ends(
    kernel: Procos, own: EngineSession, tmp_path: Path
) -> None:
    deploy(kernel, tmp_path, one_task("hb-slow", "hb.slow", headers={"tde": "file"}))
    before = last_position(kernel)
    (tmp_path / "slow_worker.py").write_text(SLOW_WORKER)
    worker = kernel.start("worker", tmp_path / "slow_worker.py", "--slots", "1")
    try:
        assert worker.stderr is not None
        assert "working on hb-slow" in await asyncio.to_thread(worker.stderr.readline)
        keys = [await create(own, "hb-slow", operation="exists", path="a.txt") for _ in range(4)]
        await asyncio.to_thread(eventually, lambda: ends_of(kernel, keys) == {"ELEMENT_COMPLETED"})
        assert started(kernel, "procos-task-run", before) == []
    finally:
        worker.terminate()
        await asyncio.to_thread(worker.communicate, timeout=60)
    variables = {"operation": "exists", "path": "a.txt"}
    result = await own.engine.create_instance_with_result("hb-slow", variables=variables, timeout=A_WHILE)
    assert result.variables["exists"] is False
    assert "by_the_worker" not in result.variables


async def test_another_teams_worker_that_comes_at_the_same_moment_shares_the_jobs(
    kernel: Procos, own: EngineSession, tmp_path: Path
) -> None:
    deploy(kernel, tmp_path, one_task("hb-race", "hb.race", headers={"tde": "file"}))
    before = last_position(kernel)
    keys = [await create(own, "hb-race", operation="exists", path=f"{number}.txt") for number in range(40)]
    done_by_them: list[int] = []

    async def work_slowly() -> None:
        while True:
            lease = timedelta(minutes=1)
            for job in await own.jobs.activate("hb.race", worker="other", max_jobs=1, lease=lease):
                await own.jobs.deliver(job, Completed())
                done_by_them.append(job.process_instance_key)
            await asyncio.sleep(0.1)

    theirs = asyncio.create_task(work_slowly())
    await asyncio.to_thread(eventually, lambda: ends_of(kernel, keys) == {"ELEMENT_COMPLETED"}, longest=120)
    theirs.cancel()
    assert done_by_them
    assert len(done_by_them) < len(keys)
    assert len(started(kernel, "tde-file", before)) == len(keys) - len(done_by_them)
