"""DecisionTables: what rules that people keep in DMN say."""

from collections.abc import Mapping
from typing import Any, Protocol


class DecisionTables(Protocol):
    """An engine with DMN decisions; the part of `Engine` that asks them."""

    async def evaluate_decision(self, decision_id: str, *, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
        """What the newest version of a DMN decision says, None where no rule matches.

        Raises:
            EngineNotFound: no decision with that id is deployed.
            EngineError: it could not be asked, or cannot be evaluated.
        """
        ...
