"""`procos route`: which TDE a task in words would go to, and why; nothing is run, nothing is kept."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from procos.cli import options
from procos.cli.output import print_json, say, settings_of
from procos.cli.run import read_variables
from procos.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from procos.model.routing import Candidate, RoutingDecision

_BY: dict[str, str] = {
    "task": "the task itself",
    "rules": "a rule",
    "retrieval": "the search",
    "model": "the chat model",
    "person": "a person",
}
_WIDEST_BAR = 10


def route(
    text: Annotated[
        str | None, typer.Argument(help="A task in words, as it would be named in a process.", metavar="TEXT")
    ] = None,
    var: Annotated[
        list[str] | None,
        typer.Option(
            "--var", metavar="NAME=VALUE", help="A variable of the task; the value is JSON, or else text. Repeatable."
        ),
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="NAME=TEXT", help="A header of the task. Repeatable.")
    ] = None,
    new_rules: Annotated[
        Path | None,
        typer.Option("--new-rules", metavar="FILE", help="Write a table of rules to begin with, for Camunda Modeler."),
    ] = None,
    home: options.Home = None,
    address: options.Address = None,
    as_json: options.Json = False,
) -> None:
    """Show which TDE a task would go to: candidates, how sure each is, who decides, and why. Runs nothing."""
    if (text is None) == (new_rules is None):
        raise UsageError(
            "say the task in words", hint="procos route 'Send the invoice'; or give --new-rules FILE alone"
        )
    if new_rules is not None:
        _write_rules(new_rules)
        return
    variables, headers = read_variables(var or [], None), _read_headers(header or [])
    settings = settings_of(home=home, address=address).values
    from procos.wiring.routing import route_once

    decision = asyncio.run(route_once(settings, text or "", variables=variables, headers=headers))
    if as_json:
        print_json({"text": text, **decision.model_dump(mode="json")})
    else:
        _show(decision)


def _write_rules(file: Path) -> None:
    from procos.resources import routing_rules

    table = routing_rules().read_text(encoding="utf-8")
    try:
        # Never over one that somebody has edited.
        with file.open("x", encoding="utf-8") as out:
            out.write(table)
    except FileExistsError:
        raise UsageError(f"{file} is there already", hint="give another name, or edit that one") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}") from None
    say(f"wrote {file}; edit it in Camunda Modeler, then `procos deploy {file}`")


def _read_headers(pairs: list[str]) -> dict[str, str]:
    headers = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--header {pair}: give NAME=TEXT")
        headers[name] = value
    return headers


def _show(decision: "RoutingDecision") -> None:
    from rich.console import Console

    out = Console()
    if decision.candidates:
        out.print(_candidates(decision, out))
        out.print()
    out.print(_headline(decision))
    out.print(_reasons(decision))


def _candidates(decision: "RoutingDecision", out: "Console") -> "RenderableType":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("TDE", no_wrap=True)
    table.add_column("how sure", no_wrap=True)
    table.add_column("why", overflow="fold")
    full = "█" if out.encoding.lower().startswith("utf") else "#"
    for it in decision.candidates:
        style = "bold green" if it.tde == decision.tde else ""
        table.add_row(Text(it.tde, style=style), _how_sure(it, full, style), Text(it.reason, style="dim"))
    return table


def _how_sure(candidate: "Candidate", full: str, style: str) -> "RenderableType":
    from rich.text import Text

    bar = full * round(candidate.confidence * _WIDEST_BAR)
    return Text.assemble((f"{candidate.confidence:.2f} ", style), (bar, style or "cyan"))


def _headline(decision: "RoutingDecision") -> "RenderableType":
    from rich.text import Text

    if decision.tde is None:
        return Text.assemble(("a person is asked", "bold yellow"), ", who should do this?")
    by = f", chosen by {_BY[decision.stage]}, {decision.confidence:.2f} sure"
    return Text.assemble((decision.tde, "bold green"), by)


def _reasons(decision: "RoutingDecision") -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for reason in decision.reasons:
        stage, _, said = reason.partition(": ")
        grid.add_row(f"  {stage}", Text(said))
    return grid
