"""Doubles of the ports around the router, and tasks and TDEs to route."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from procos.authoring.catalogue_entry import catalogue_entry
from procos.errors import EngineNotFound, ProcosError, StoreError
from procos.model.catalogue import CatalogueEntry
from procos.model.choice import Choice, Question
from procos.model.routing import Candidate, KeptDecision, RoutingDecision, RoutingExample
from procos.model.task import Task
from procos.model.tde import TdeManifest
from procos.routing.catalogue import Catalogue, RoutableTde
from procos.routing.guard import may_use_any_secret
from procos.routing.options import RouterOptions
from procos.routing.router import StagedRouter

TEXT = {"type": "string"}


def schema(*required: str, **properties: Any) -> dict[str, Any]:
    """An input schema; what is required and not described is a text."""
    described = dict.fromkeys(required, TEXT) | properties
    return {"type": "object", "properties": described, "required": list(required)}


def tde(name: str, input_schema: Mapping[str, Any] | None = None, *, secrets: Sequence[str] = ()) -> RoutableTde:
    manifest = TdeManifest(
        name=name,
        job_type=f"tde.{name}",
        description=f"Does {name}",
        mode="deterministic",
        input_schema=dict(input_schema or schema()),
        output_schema={"type": "null"},
        time_limit=timedelta(minutes=1),
        secrets=tuple(secrets),
    )
    guarded = may_use_any_secret(manifest.secrets)
    return RoutableTde(catalogue_entry(manifest), manifest.input_schema, is_guarded=guarded)


def task(name: str = "Send the invoice", **facts: Any) -> Task:
    usual = {
        "job_key": 7,
        "job_type": "procos.task",
        "correlation_id": "c-1",
        "process_instance_key": 1,
        "process_definition_id": "orders",
        "process_definition_key": 2,
        "process_definition_version": 1,
        "element_id": "Activity_0x3k9ab",
        "element_instance_key": 3,
    }
    return Task(**(usual | {"name": name} | facts))


class FixedSearch:
    """Finds the same for every text; remembers what it was asked."""

    def __init__(self, found: Mapping[str, float] | None = None, **more: float) -> None:
        self.found = [Candidate(tde=name, confidence=sure) for name, sure in ((found or {}) | more).items()]
        self.error: ProcosError | None = None
        self.waits_for: threading.Event | None = None
        self.texts: list[str] = []
        self.examples: list[tuple[RoutingExample, ...]] = []

    def prepare(self, catalogue: Sequence[CatalogueEntry], examples: Sequence[RoutingExample]) -> None:  # noqa: ARG002
        if self.error:
            raise self.error

    def search(
        self,
        text: str,
        catalogue: Sequence[CatalogueEntry],  # noqa: ARG002
        examples: Sequence[RoutingExample] = (),
        *,
        limit: int = 10,
    ) -> Sequence[Candidate]:
        if self.error:
            raise self.error
        self.texts.append(text)
        if self.waits_for is not None:
            self.waits_for.wait()
        self.examples.append(tuple(examples))
        return self.found[:limit]


class Tables:
    """A DMN table with one decision: what `rule` says of the variables; counts how often it is asked."""

    def __init__(self, rule: Callable[[Mapping[str, Any]], Any] | ProcosError) -> None:
        self.rule = rule
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.is_asked = asyncio.Event()
        self.waits_for: asyncio.Event | None = None

    async def evaluate_decision(self, decision_id: str, *, variables: Mapping[str, Any]) -> Any:
        self.asked.append((decision_id, variables))
        self.is_asked.set()
        await asyncio.sleep(0)  # as whoever asks over a network
        if self.waits_for is not None:
            await self.waits_for.wait()
        if isinstance(self.rule, ProcosError):
            raise self.rule
        return self.rule(variables)


def saying(output: Any) -> Tables:
    return Tables(lambda _: output)


def not_deployed() -> Tables:
    return Tables(EngineNotFound("no such decision is deployed"))


class ScriptedChooser:
    """Answers what the test says, or does what it does."""

    name = "test:scripted"

    def __init__(self, answer: Choice | ProcosError | Callable[[], Awaitable[Choice]]) -> None:
        self.answer = answer
        self.questions: list[Question] = []

    async def choose(self, question: Question) -> Choice:
        self.questions.append(question)
        if isinstance(self.answer, ProcosError):
            raise self.answer
        return self.answer if isinstance(self.answer, Choice) else await self.answer()


def choosing(name: str | None, reason: str = "it fits") -> ScriptedChooser:
    return ScriptedChooser(Choice(tde=name, reason=reason))


class Memory:
    """A RoutingMemory in memory; while `is_away`, every method raises."""

    def __init__(self) -> None:
        self.kept: list[KeptDecision] = []
        self.known: dict[str, RoutingExample] = {}
        self.is_away = False
        self.calls = 0
        self.waits_for: asyncio.Event | None = None

    async def _reach(self) -> None:
        self.calls += 1
        if self.waits_for is not None:
            await self.waits_for.wait()
        if self.is_away:
            raise StoreError("the state database is away")

    async def keep(self, decision: KeptDecision) -> None:
        await self._reach()
        self.kept.append(decision)

    async def find(self, content_hash: str) -> RoutingDecision | None:
        await self._reach()
        found = [it.decision for it in self.kept if it.content_hash == content_hash and it.decision.tde]
        return found[-1] if found else None

    async def decisions(self, correlation_id: str) -> Sequence[KeptDecision]:
        await self._reach()
        return [it for it in self.kept if it.correlation_id == correlation_id]

    async def add_example(self, example: RoutingExample) -> None:
        await self._reach()
        self.known[example.text] = example

    async def examples(self) -> Sequence[RoutingExample]:
        await self._reach()
        return list(self.known.values())

    async def prune(self, older_than: timedelta) -> int:  # noqa: ARG002
        await self._reach()
        return 0

    async def close(self) -> None:
        self.is_away = True


EMAIL = tde("email", schema("subject", to={"type": "array", "items": TEXT}), secrets=["EMAIL_*"])
NOTIFY = tde("notify", schema("body"))
HTTP = tde("http", schema("url"), secrets=["*"])
SHELL = tde("shell", schema(command={"type": "array", "items": TEXT}) | {"required": ["command"]}, secrets=["*"])
USUAL = Catalogue([EMAIL, NOTIFY, HTTP, SHELL])


def router(search: FixedSearch | None = None, catalogue: Catalogue = USUAL, **parts: Any) -> StagedRouter:
    options = parts.pop("options", None) or RouterOptions()
    return StagedRouter(lambda: catalogue, search or FixedSearch(), options=options, **parts)
