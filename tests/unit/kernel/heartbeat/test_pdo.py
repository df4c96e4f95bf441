"""The heartbeat's own jobs: its pace, its successors, its revival, and what it tells of itself."""

from datetime import timedelta
from pathlib import Path

import pytest

from procos.errors import EngineUnavailable
from procos.kernel.heartbeat.pdo import Pdo
from procos.kernel.heartbeat.tally import Tally
from procos.model.job import Completed
from procos.sdk.context import NoConfig
from procos.testing import FakeEngine, workers
from tests.unit.kernel.heartbeat.parts import Parts
from tests.unit.workers.context import task_context

pytestmark = pytest.mark.anyio


class Beating:
    """A heartbeat on a FakeEngine, whose jobs are called as functions."""

    def __init__(self, **options: object) -> None:
        self.parts = Parts(**options)
        self.tally = Tally()
        self.pdo = Pdo(
            engine=self.parts.engine, scanner=self.parts.scanner, options=self.parts.options, tally=self.tally
        )
        self.jobs = {tde.job_type: tde for tde in self.pdo.tdes()}

    @property
    def engine(self) -> FakeEngine:
        return self.parts.engine

    async def call(self, job_type: str, **variables: object) -> dict[str, object]:
        tde = self.jobs[job_type]
        context = task_context(NoConfig(), Path(), process_instance_key=44)
        arguments = (tde.input_model(**variables), context)[: 1 + tde.takes_context]
        result = await tde(*arguments)
        return result.model_dump(mode="json", by_alias=True) if result else {}

    async def beat(self) -> str:
        return str((await self.call("procos.pdo.scan"))["pause"])


async def test_the_pause_doubles_while_nothing_happens_up_to_its_limit():
    beating = Beating()
    assert [await beating.beat() for _ in range(6)] == ["PT1S", "PT2S", "PT4S", "PT8S", "PT15S", "PT15S"]


async def test_whatever_is_found_makes_the_pause_short_again():
    beating = Beating()
    for _ in range(4):
        await beating.beat()
    beating.engine.add_job("procos.task")
    assert await beating.call("procos.pdo.scan") == {"found": 1, "handedOver": 1, "isFull": False, "pause": "PT1S"}
    assert await beating.beat() == "PT2S"


async def test_the_pause_ends_when_a_grace_period_does():
    beating = Beating()
    await beating.parts.knows("foreign")
    for _ in range(5):
        await beating.beat()
    beating.engine.add_job("foreign")
    assert await beating.beat() == "PT5S"


async def test_an_arrival_wakes_a_slow_heartbeat_once():
    beating = Beating()
    await beating.beat()
    await beating.pdo.arrived(is_handed_over=True)
    assert beating.engine.messages == ()
    await beating.beat()
    await beating.beat()
    for _ in range(3):
        await beating.pdo.arrived(is_handed_over=True)
    assert [(it.name, it.correlation_key) for it in beating.engine.messages if "wake" in it.name] == [
        ("procos.pdo.wake", "procos-pdo")
    ]
    assert await beating.beat() == "PT1S"


async def test_a_wake_that_fails_is_tried_again_by_the_next_arrival():
    beating = Beating()
    for _ in range(3):
        await beating.beat()
    beating.engine.refuse("publish_message", EngineUnavailable("gone"))
    await beating.pdo.arrived(is_handed_over=True)
    await beating.pdo.arrived(is_handed_over=True)
    assert len(beating.engine.messages) == 1


async def test_a_successor_waits_for_the_end_of_its_predecessor_and_there_is_one():
    beating = Beating(max_beats=50)
    for _ in range(2):
        await beating.call("procos.pdo.succeed", successions=3)
    (message,) = beating.engine.messages
    assert (message.name, message.ttl, message.correlation_key) == (
        "procos.pdo.start", timedelta(hours=1), "procos-pdo",
    )  # fmt: skip
    assert message.variables == {"pdoKey": "procos-pdo", "maxBeats": 50, "successions": 4}


async def test_reviving_is_not_buffered():
    beating = Beating()
    await beating.call("procos.pdo.revive")
    assert beating.engine.messages[0].ttl == timedelta(0)


async def test_the_report_counts_beats_and_tasks():
    beating = Beating()
    beating.engine.add_job("procos.task")
    await beating.beat()
    await beating.pdo.arrived(is_handed_over=False)
    report = beating.tally.report
    assert (report.beats, report.found, report.handed_over, report.instance_key) == (1, 2, 1, 44)
    assert (report.pause_s, report.trouble) == (1.0, "")
    assert report.last_beat_at is not None


async def test_a_scan_that_fails_is_reported_and_thrown_as_the_error_that_the_process_catches():
    beating = Beating()
    beating.engine.refuse("activate", EngineUnavailable("gone"))
    with pytest.raises(EngineUnavailable):
        await beating.beat()
    assert (beating.tally.report.failed_beats, beating.tally.report.trouble) == (1, "gone")
    await beating.beat()
    assert beating.tally.report.trouble == ""


async def test_its_workers_complete_the_engines_jobs():
    beating = Beating()
    key = beating.engine.add_job("procos.pdo.scan", {"pause": None}, headers={"errorCode": "PDO_SCAN_FAILED"})
    async with workers(beating.engine, beating.jobs["procos.pdo.scan"]):
        await beating.engine.until(lambda: beating.engine.outcomes)
    ((done, outcome),) = beating.engine.outcomes
    assert done == key
    assert isinstance(outcome, Completed)
    assert outcome.variables["pause"] == "PT1S"
