"""A RoutingMemory that lives as long as its test."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from procos.errors import StoreError
from procos.model.routing import KeptDecision, RoutingDecision, RoutingExample


class MemoryRouting:
    """The RoutingMemory port in memory: keeps copies, as a database would, and refuses what is not JSON."""

    def __init__(self) -> None:
        self._decisions: list[KeptDecision] = []
        self._examples: dict[str, RoutingExample] = {}
        self._is_closed = False

    def __len__(self) -> int:
        """How many decisions there are."""
        return len(self._decisions)

    async def keep(self, decision: KeptDecision) -> None:
        """Adds a decision to the trace."""
        self._check_open()
        _check_moment(decision.decided_at)
        self._decisions.append(_copy(decision))
        self._decisions.sort(key=lambda kept: kept.decided_at)

    async def find(self, content_hash: str) -> RoutingDecision | None:
        """The newest decision with that hash that names a TDE, None where there is none."""
        self._check_open()
        found = (it for it in reversed(self._decisions) if it.content_hash == content_hash and it.decision.tde)
        newest = next(found, None)
        return _copy(newest).decision if newest else None

    async def decisions(self, correlation_id: str) -> Sequence[KeptDecision]:
        """All decisions under one correlation id, oldest first."""
        self._check_open()
        return [_copy(kept) for kept in self._decisions if kept.correlation_id == correlation_id]

    async def add_example(self, example: RoutingExample) -> None:
        """Keeps an example; the same text again replaces what was chosen before."""
        self._check_open()
        _check_moment(example.chosen_at)
        self._examples[example.text] = example

    async def examples(self) -> Sequence[RoutingExample]:
        """All examples, oldest first."""
        self._check_open()
        return sorted(self._examples.values(), key=lambda example: example.chosen_at)

    async def prune(self, older_than: timedelta) -> int:
        """Removes decisions (never examples) that old, and says how many."""
        self._check_open()
        now, before = datetime.now(UTC), len(self._decisions)
        self._decisions = [kept for kept in self._decisions if now - kept.decided_at < older_than]
        return before - len(self._decisions)

    async def close(self) -> None:
        """Further calls are refused."""
        self._is_closed = True

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreError("the routing memory is closed")


def _check_moment(moment: datetime) -> None:
    if moment.utcoffset() is None:
        raise StoreError(f"{moment} has no time zone")


def _copy(kept: KeptDecision) -> KeptDecision:
    try:
        plain = json.loads(json.dumps(kept.decision.model_dump(), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"the routing decision for job {kept.job_key} is not JSON: {error}") from None
    return kept.model_copy(update={"decision": RoutingDecision.model_validate(plain)})
