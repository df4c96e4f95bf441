"""A heartbeat on a FakeEngine, put together for tests."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from procos.kernel.heartbeat.hand_over import HandOver
from procos.kernel.heartbeat.options import HeartbeatOptions
from procos.kernel.heartbeat.scan import Scanner
from procos.kernel.heartbeat.sightings import Sightings
from procos.kernel.heartbeat.tagging import Tagger
from procos.model.definition import ProcessDefinition, TaskElement
from procos.model.job import Job
from procos.testing import FakeEngine
from procos.testing.memory_definitions import MemoryDefinitions

WORKER = "test"
GRACE = timedelta(seconds=5)


def a_definition(key: int, *elements: TaskElement) -> ProcessDefinition:
    """A definition with those elements."""
    return ProcessDefinition(
        key=key,
        id=f"process-{key}",
        version=1,
        resource_name="a.bpmn",
        xml=b"<a/>",
        elements=elements,
        deployed_at=datetime.now(UTC),
    )


def a_job(*, key: int = 7, definition: int = 1, element: str = "send", **variables: Any) -> Job:
    """A job of an unclaimed task."""
    return Job(
        key=key,
        type="procos.task",
        process_instance_key=3,
        process_definition_id="order",
        process_definition_key=definition,
        process_definition_version=2,
        element_id=element,
        element_instance_key=4,
        retries=3,
        deadline=datetime.now(UTC) + timedelta(seconds=15),
        variables=variables,
        custom_headers={"a": "b"},
    )


async def as_it_is(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Nothing is too large."""
    return dict(variables)


def hand_over_of(engine: FakeEngine, definitions: MemoryDefinitions, options: HeartbeatOptions) -> HandOver:
    """Hands over on that engine."""
    return HandOver(engine=engine, jobs=engine, tagger=Tagger(definitions), shrink=as_it_is, options=options)


class Parts:
    """An engine, its definitions, and a scanner; `seconds` is the time that the grace period goes by."""

    def __init__(self, **options: Any) -> None:
        self.engine = FakeEngine()
        self.definitions = MemoryDefinitions()
        self.options = HeartbeatOptions(grace=GRACE, **options)
        self.seconds = 0.0
        self.registered: set[str] = set()
        self.hand_over = hand_over_of(self.engine, self.definitions, self.options)
        self.sightings = Sightings(jobs=self.engine, worker=WORKER, options=self.options, now=lambda: self.seconds)
        self.scanner = Scanner(
            jobs=self.engine,
            definitions=self.definitions,
            hand_over=self.hand_over,
            sightings=self.sightings,
            registered=self._registered,
            worker=WORKER,
            options=self.options,
        )

    async def _registered(self) -> set[str]:
        return self.registered

    async def knows(self, *job_types: str) -> None:
        """A definition with tasks of those types was deployed."""
        elements = [TaskElement(element_id=f"e{number}", job_type=it) for number, it in enumerate(job_types)]
        await self.definitions.record([a_definition(1, *elements)])

    def handed_over(self) -> list[int]:
        """The keys of the jobs that a task run was asked for, in order."""
        return [int(message.correlation_key) for message in self.engine.messages]
