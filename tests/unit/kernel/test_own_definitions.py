"""The kernel's own definitions at boot, on the double of the engine."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from procos.kernel.own_definitions import OwnDefinitions
from procos.model.deployment import Deployment, Resource
from procos.testing import FakeEngine
from tests.engine.processes import one_task

pytestmark = pytest.mark.anyio


class Counting:
    """An engine that says how many resources each deployment had."""

    def __init__(self) -> None:
        self.engine = FakeEngine()
        self.sizes: list[int] = []

    async def deploy(self, resources: Sequence[Resource]) -> Deployment:
        self.sizes.append(len(resources))
        return await self.engine.deploy(resources)


def resources(*names: str, padding: int = 0) -> list[Resource]:
    return [Resource(f"{it}.bpmn", (one_task(it, "type") + f"<!--{'x' * padding}-->").encode()) for it in names]


async def test_the_first_time_each_goes_alone_and_then_all_go_together(tmp_path: Path):
    engine = Counting()
    own = OwnDefinitions(engine, tmp_path / "definitions.json")  # type: ignore[arg-type]
    await own.deploy(resources("a", "b", "c"))
    await own.deploy(resources("a", "b", "c"))

    assert engine.sizes == [1, 1, 1, 3]


async def test_where_one_has_changed_each_goes_alone(tmp_path: Path):
    engine = Counting()
    own = OwnDefinitions(engine, tmp_path / "definitions.json")  # type: ignore[arg-type]
    await own.deploy(resources("a", "b"))
    await own.deploy([*resources("a"), *resources("b", padding=1)])

    assert engine.sizes == [1, 1, 1, 1]


async def test_they_are_deployed_to_an_engine_that_was_reset(tmp_path: Path):
    first, second = Counting(), Counting()
    await OwnDefinitions(first, tmp_path / "definitions.json").deploy(resources("a", "b"))  # type: ignore[arg-type]
    await OwnDefinitions(second, tmp_path / "definitions.json").deploy(resources("a", "b"))  # type: ignore[arg-type]

    assert (await second.engine.create_instance("b")).process_definition_version == 1


async def test_many_go_in_requests_that_the_engine_takes(tmp_path: Path):
    engine = Counting()
    own = OwnDefinitions(engine, tmp_path / "definitions.json")  # type: ignore[arg-type]
    large = resources(*(f"p{number}" for number in range(5)), padding=900_000)
    await own.deploy(large)
    await own.deploy(large)

    assert engine.sizes == [1] * 5 + [2, 2, 1]


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"digest": 5}'])
async def test_what_cannot_be_read_of_the_last_boot_counts_as_nothing(tmp_path: Path, text: str):
    (tmp_path / "definitions.json").write_text(text)
    engine = Counting()
    await OwnDefinitions(engine, tmp_path / "definitions.json").deploy(resources("a", "b"))  # type: ignore[arg-type]

    assert engine.sizes == [1, 1]
