"""Workers put together from the settings."""

import asyncio
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from procos.errors import EngineUnavailable, SettingsError
from procos.kernel.home import Home
from procos.kernel.plugins import BrokenPlugin, Plugins, RegisteredTde
from procos.runtime.worker import Worker
from procos.sdk import Tde, tde
from procos.settings import Settings
from procos.wiring.engines import EngineSession
from procos.wiring.stores import open_stores
from procos.wiring.workers import check_tables, worker_pool, workforce
from tests.unit.runtime.memory_jobs import MemoryJobs

pytestmark = pytest.mark.anyio


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")
    sign: str = "!"


class In(BaseModel):
    name: str = ""


class Out(BaseModel):
    text: str


@tde("greet", description="Greets", config=Config, secrets=["TOKEN", "OTHER"])
def greet(data: In) -> Out:
    return Out(text=f"Hello {data.name}")


@tde("compute", description="Computes", cpu_bound=True)
def compute(data: In) -> Out:
    return Out(text="")


PLUGINS = Plugins((RegisteredTde(greet, "greetings"),), (BrokenPlugin("bad", "badly", "no module"),))


def session(jobs: MemoryJobs) -> EngineSession:
    return EngineSession(engine=None, jobs=jobs, records=None, engine_id="test")  # type: ignore[arg-type]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "home")
    found.prepare()
    return found


# Tables


def refusal(**settings: Any) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        check_tables(Settings(**settings), PLUGINS)
    return caught.value


def test_tables_of_installed_tdes_are_right_and_of_broken_ones_are_not_looked_at():
    check_tables(
        Settings(tde={"greet": {"sign": "?"}, "bad": {"x": 1}}, secrets_granted={"greet": [], "bad": []}), PLUGINS
    )


def test_a_table_for_a_tde_that_is_not_installed_is_said_so():
    error = refusal(tde={"great": {"sign": "?"}})

    assert (error.message, error.hint) == ("setting [tde.great]: there is no such TDE", "installed are greet")


def test_secrets_granted_to_a_tde_that_is_not_installed_are_said_so():
    error = refusal(secrets_granted={"great": ["TOKEN"]})

    assert error.message == "setting secrets_granted, great: there is no such TDE"
    assert error.hint == "installed are greet"


def test_a_wrong_table_is_found_before_the_first_job():
    assert "setting [tde.greet] 'colour' is wrong" in refusal(tde={"greet": {"colour": "red"}}).message


# A worker


async def worker_of(made: Tde[..., Any], home: Home, **settings: Any) -> Worker:
    chosen = Settings(home=home.path, **settings)
    async with open_stores(chosen, home, "test") as stores:
        return worker_pool(chosen, session(MemoryJobs()), home, stores)._make_worker(made, None)


async def test_a_worker_is_made_by_the_settings(home):
    worker = await worker_of(
        greet, home, worker_slots=7, lease="90", job_streams=False, tde={"greet": {"sign": "?"}},
        secrets_granted={"greet": ["TOKEN"]},
    )  # fmt: skip

    assert (worker.slots, worker.lease.total_seconds(), worker.streams) == (7, 90, False)
    assert worker.name == f"procos-{home.kernel_id()}"
    assert worker.execution.config == Config(sign="?")
    assert worker.execution.granted_secrets == ("TOKEN",)
    assert worker.execution.data_folder == home.tde_folder("greet")
    assert worker.journal is not None
    assert worker.execution.large_variables is not None


async def test_a_tde_that_is_not_named_may_use_all_that_it_declares(home):
    assert (await worker_of(greet, home)).execution.granted_secrets == ("*",)


async def test_a_tde_that_is_granted_nothing_gets_nothing(home):
    assert (await worker_of(greet, home, secrets_granted={"greet": []})).execution.granted_secrets == ()


async def test_a_cpu_bound_tde_has_no_more_slots_than_there_are_processors(home):
    assert (await worker_of(compute, home, worker_slots=10_000)).slots == os.cpu_count()
    assert (await worker_of(compute, home, worker_slots=1)).slots == 1
    assert (await worker_of(greet, home, worker_slots=10_000)).slots == 10_000


# All of them


async def asked(address: str, path: str) -> tuple[int, dict[str, Any]]:
    def ask() -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    return await asyncio.to_thread(ask)


async def test_a_workforce_works_and_tells_of_its_health(home):
    jobs = MemoryJobs()
    settings = Settings(home=home.path)
    async with workforce(settings, session(jobs), home) as workers:
        before = await asked(workers.monitoring, "/readyz")
        workers.pool.start([greet])
        key = jobs.add("tde.greet", name="Ann")
        await jobs.until(lambda: key in jobs.completed)
        well = await asked(workers.monitoring, "/readyz")
        jobs.refuse("activate", EngineUnavailable("it went away"), times=1000)
        jobs.go_away()
        await jobs.until(lambda: jobs.calls.count("activate") > 3)
        away = await asked(workers.monitoring, "/readyz")
        alive = await asked(workers.monitoring, "/healthz")
        await workers.pool.drain(settings.drain_grace)

    assert before == (503, {"status": "not well", "reasons": {"workers": "none has started"}})
    assert well == (200, {"status": "well"})
    assert away == (503, {"status": "not well", "reasons": {"tde.greet": "no engine answers at memory:1"}})
    assert alive == (200, {"status": "well"})


async def test_a_wrong_setting_of_the_monitoring_leaves_nothing_open(home):
    before = asyncio.all_tasks()
    with pytest.raises(SettingsError, match="monitoring_host"):
        async with workforce(Settings(home=home.path, monitoring_host="203.0.113.7"), session(MemoryJobs()), home):
            pass
    with pytest.raises(SettingsError, match="otlp_endpoint"):
        async with workforce(Settings(home=home.path, otlp_endpoint="nowhere"), session(MemoryJobs()), home):
            pass
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
