"""What people see: data on stdout, messages on stderr."""

import contextlib
import functools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from procos.errors import ProcosError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

    from procos.settings import LoadedSettings, Settings


def settings_of(*, quiet: bool = False, **options: Any) -> "LoadedSettings":  # noqa: ANN401 - fields of Settings
    """The settings under the command line's `options`; logging is set up on the way."""
    from procos.settings import load
    from procos.telemetry.logs import set_up_logging

    loaded = load(options)
    set_up_logging(level=loaded.values.log_level, log_format=loaded.values.log_format, quiet=quiet)
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


@functools.cache
def messages() -> "Console":
    """The console on stderr; one for all, so that a line is printed above a running bar and not into it."""
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


class ProgressBar:
    """Shows the steps of the engine manager: a bar where bytes are counted, a spinner where one only waits."""

    def __init__(self) -> None:
        self._shown: Progress | None = None
        self._step = ""
        self._task: TaskID | None = None

    def __call__(self, step: str, done: int, total: int) -> None:
        """Shows `done` of `total` bytes of `step`; a total of 0 means that there is nothing to count."""
        if not messages().is_terminal:
            if step != self._step:
                say(step)
            self._step = step
            return
        if step != self._step or self._shown is None:
            self._complete()
            self._shown = _counter() if total else _spinner()
            self._task, self._step = self._shown.add_task(step, total=total or None), step
            self._shown.start()
        if self._task is not None:
            self._shown.update(self._task, completed=done, total=total or None)

    def _complete(self) -> None:
        if self._shown is not None and self._task is not None:
            self._shown.update(self._task, completed=self._shown.tasks[0].total)
        self.stop()

    def stop(self) -> None:
        """Ends the step that is shown; the next call starts another."""
        if self._shown is not None:
            self._shown.stop()
            self._shown = None


@contextlib.contextmanager
def progress_bar(settings: "Settings") -> Iterator[ProgressBar]:
    """A bar for the engine manager's steps; the engine's licence is named first where it has to be fetched."""
    from procos.wiring.engines import licence_notice

    if notice := licence_notice(settings):
        say(notice)
    bar = ProgressBar()
    try:
        yield bar
    finally:
        bar.stop()


def _counter() -> "Progress":
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=messages())


def _spinner() -> "Progress":
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    return Progress(*columns, console=messages(), transient=True)
