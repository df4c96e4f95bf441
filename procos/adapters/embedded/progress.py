"""How the engine manager tells what it is busy with."""

from typing import Protocol


class Progress(Protocol):
    """Called while work goes on, many times a second; what it raises aborts the work, and nothing half-done stays."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """`step` in plain words; `done` of `total` in bytes, `total` 0 where it is not known."""
        ...


def silent(step: str, done: int, total: int) -> None:
    """The progress that nobody watches."""
