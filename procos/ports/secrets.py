"""SecretSource: values that never enter a process's variables."""

from typing import Protocol


class SecretSource(Protocol):
    """Looks secrets up by name, afresh each time, so that a rotated secret is seen."""

    def get(self, name: str) -> str | None:
        """The secret, or None where there is none by that name."""
        ...
