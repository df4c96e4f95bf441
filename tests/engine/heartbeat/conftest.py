"""One kernel with an engine of its own, whose heartbeat nothing else disturbs."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from procos.wiring.engines import EngineSession, connect
from tests.engine.conftest import Procos, procos_in


@pytest.fixture(scope="package")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Procos]:
    """A kernel with an engine of its own, whose heartbeat nothing else disturbs."""
    root = tmp_path_factory.mktemp("heartbeat")
    (root / "files").mkdir()
    command = procos_in(
        root / "home",
        PROCOS_TDE__FILE__ROOTS=json.dumps([str(root / "files")]),
        PROCOS_TASK_LEASE="3",
        PROCOS_UNCLAIMED_GRACE="2",
        PROCOS_HEARTBEAT_LONGEST_PAUSE="2",
    )
    command("boot", "--detach", timeout=300)
    yield command
    command("down", check=False)
    command("engine", "stop", check=False)  # where a killed kernel did not come back


@pytest.fixture
async def own(kernel: Procos) -> AsyncIterator[EngineSession]:
    """A connection to that kernel's engine."""
    async with connect(kernel.settings) as session:
        yield session
