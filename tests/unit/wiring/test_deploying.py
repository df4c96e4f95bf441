"""What a person deploys, with the state database of the settings or of the home."""

import os
from pathlib import Path

import pytest

from procos.adapters.state.definition_store import SqlDefinitionStore
from procos.errors import StoreError
from procos.kernel.deploying import Deployed
from procos.kernel.home import Home
from procos.model.definition import TaskElement
from procos.model.deployment import Deployment
from procos.settings import Settings
from procos.testing import FakeEngine
from procos.wiring.deploying import deploy, notices, this_user
from procos.wiring.engines import EngineSession
from procos.wiring.stores import open_state_database
from tests.unit.kernel.test_deploying import order

pytestmark = pytest.mark.anyio


def session_on(engine: FakeEngine, engine_id: str = "engine") -> EngineSession:
    return EngineSession(engine, engine, None, engine_id)


async def remembered(settings: Settings, key: int, engine_id: str = "engine") -> str | None:
    """Who deployed the definition, by the state database."""
    database = open_state_database(settings, Home(settings.home))
    store = SqlDefinitionStore(database, engine_id=engine_id)
    definition = await store.get(key)
    await store.close()
    database.close()
    return definition.deployed_by if definition else None


async def test_definitions_are_remembered_in_the_home_for_their_engine(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")

    deployed = await deploy(settings, session_on(FakeEngine()), [order()], deployed_by="ann")

    (resource,) = deployed.deployment.resources
    assert deployed.trouble is None
    assert await remembered(settings, resource.key) == "ann"
    assert await remembered(settings, resource.key, "another") is None


async def test_the_setting_names_another_database(tmp_path: Path) -> None:
    elsewhere = f"sqlite:///{tmp_path}/elsewhere.db"
    settings = Settings.model_validate({"home": tmp_path / "home", "database_url": elsewhere})

    deployed = await deploy(settings, session_on(FakeEngine()), [order()], deployed_by="ann")

    assert await remembered(settings, deployed.deployment.resources[0].key) == "ann"
    assert not Home(settings.home).database_file.exists()


@pytest.mark.parametrize("url", ["mysql://here", "sqlite:////dev/null/no.db", "postgresql://procos@127.0.0.1:1/no"])
async def test_a_database_that_cannot_be_opened_leaves_the_deployment_and_is_told(tmp_path: Path, url: str) -> None:
    settings = Settings.model_validate({"home": tmp_path, "database_url": url})
    engine = FakeEngine()

    deployed = await deploy(settings, session_on(engine), [order()], deployed_by="ann")

    assert deployed.deployment.process_ids == ("order",)
    assert [message.name for message in engine.messages] == ["procos.pdo.wake"]
    _, what, loss = notices(deployed)
    assert what.startswith("deployed, but not remembered: ")
    assert "until these files are deployed again" in loss


def tasks(count: int) -> tuple[TaskElement, ...]:
    return tuple(TaskElement(element_id=f"t{n}", name=f"Do {n}" if n else "") for n in range(count))


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, []),
        (1, ["1 task has no job type: ProcOS will find who does it (t0)"]),
        (2, ["2 tasks have no job type: ProcOS will find who does them (t0, Do 1)"]),
        (
            13,
            [
                (
                    "13 tasks have no job type: ProcOS will find who does them "
                    "(t0, Do 1, Do 2, Do 3, Do 4, Do 5, Do 6, Do 7, Do 8, Do 9 and 3 more)"
                )
            ],
        ),
    ],
)
def test_tasks_without_a_job_type_are_named(count: int, said: list[str]) -> None:
    assert notices(Deployed(Deployment(1, ()), tasks(count))) == said


def test_trouble_is_said_with_what_to_do() -> None:
    trouble = StoreError("the disk is full", hint="free some space")

    what, _ = notices(Deployed(Deployment(1, ()), trouble=trouble))

    assert what == "deployed, but not remembered: the disk is full (free some space)"


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert this_user()
    monkeypatch.setattr(os, "getuid", lambda: 4_123_456)

    assert this_user() == "4123456"
