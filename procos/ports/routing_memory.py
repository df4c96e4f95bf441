"""RoutingMemory: decisions and people's answers, over restarts."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from procos.model.routing import KeptDecision, RoutingDecision, RoutingExample


class RoutingMemory(Protocol):
    """Every method raises `StoreError`."""

    async def keep(self, decision: KeptDecision) -> None:
        """Adds a decision to the trace."""
        ...

    async def find(self, content_hash: str) -> RoutingDecision | None:
        """The newest decision with that hash that names a TDE, None where there is none."""
        ...

    async def decisions(self, correlation_id: str) -> Sequence[KeptDecision]:
        """All decisions under one correlation id, oldest first."""
        ...

    async def add_example(self, example: RoutingExample) -> None:
        """Keeps an example; the same text again replaces what was chosen before."""
        ...

    async def examples(self) -> Sequence[RoutingExample]:
        """All examples, oldest first."""
        ...

    async def prune(self, older_than: timedelta) -> int:
        """Removes decisions (never examples) that old, and says how many."""
        ...

    async def close(self) -> None:
        """Lets go of files and connections."""
        ...
