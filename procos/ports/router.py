"""TaskRouter: which TDE is a task for?"""

from collections.abc import Collection
from typing import Protocol

from procos.model.routing import RoutingDecision
from procos.model.task import Task


class TaskRouter(Protocol):
    """Decides, or abstains; raises `RoutingError` only where the decision could not even be looked for."""

    async def route(self, task: Task, *, not_again: Collection[str] = ()) -> RoutingDecision:
        """The TDE for `task`; those in `not_again` have failed at it and are left out."""
        ...

    async def learn(self, task: Task, tde: str, *, chosen_by: str) -> None:
        """Keeps a person's answer, as an example for tasks like this one.

        Raises:
            UsageError: there is no TDE of that name; the hint names near ones.
        """
        ...
