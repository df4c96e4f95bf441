"""What people see: data on stdout, messages on stderr."""

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from procos.errors import ProcosError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from procos.settings import LoadedSettings


def settings_of(*, quiet: bool = False, **options: Any) -> "LoadedSettings":  # noqa: ANN401 - fields of Settings
    """The settings under the command line's `options`; logging is set up on the way."""
    from procos.settings import load
    from procos.telemetry import set_up_logging

    loaded = load(options)
    set_up_logging(level=loaded.values.log_level, quiet=quiet)
    return loaded


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Prints `value` as JSON on stdout."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def say(text: str) -> None:
    """Says something to the person, on stderr."""
    messages().print(text, highlight=False, markup=False, soft_wrap=True)


def say_error(error: ProcosError) -> None:
    """Says what is wrong, and what to do."""
    out = messages()
    out.print("error: ", style="bold red", end="")
    out.print(error.message, highlight=False, markup=False, soft_wrap=True)
    if error.hint:
        out.print(f"       {error.hint}", style="dim", highlight=False, markup=False, soft_wrap=True)


def messages() -> "Console":
    """The console on stderr."""
    from rich.console import Console

    return Console(stderr=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table on stdout."""
    from rich.console import Console

    Console().print(table_of(columns, rows))


def table_of(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> "Table":
    """A table without lines around it; cells are taken as they are, markup in them is text."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


class _Bar:
    """A progress bar for what the engine manager does: one line a step."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=messages()
        )
        self._tasks: dict[str, Any] = {}

    def __call__(self, step: str, done: int, total: int) -> None:
        if step not in self._tasks:
            self._progress.start()
            self._tasks[step] = self._progress.add_task(step, total=total or None)
        self._progress.update(self._tasks[step], completed=done, total=total or None)

    def stop(self) -> None:
        self._progress.stop()


@contextlib.contextmanager
def progress_bar() -> Iterator[_Bar]:
    """A bar that appears at the first progress there is; on no terminal it prints a line a step at the end."""
    bar = _Bar()
    try:
        yield bar
    finally:
        bar.stop()
        sys.stderr.flush()
