"""TaskChooser: somebody who reads a task and a few TDEs, and says which one is meant."""

from typing import Protocol

from procos.model.choice import Choice, Question


class TaskChooser(Protocol):
    """A chat model, as a rule; what it says is a proposal, which the router checks."""

    @property
    def name(self) -> str:
        """Which model it is: another one may decide otherwise, so decisions are not shared between them."""
        ...

    async def choose(self, question: Question) -> Choice:
        """One of the question's TDEs, or none of them.

        Raises:
            RoutingError: no usable answer: not reachable, too slow, refused, or not in the form that was asked for.
            MissingExtraError: a library that it needs is not installed.
        """
        ...
