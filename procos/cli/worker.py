"""`procos worker`: TDEs alone, without a kernel."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from procos.cli import options
from procos.cli.output import say, settings_of

if TYPE_CHECKING:
    from procos.wiring.worker_process import Started


def worker(
    modules: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODULE]...",
            help="Python modules or files with TDEs; without any, all that are installed.",
            show_default=False,
        ),
    ] = None,
    home: options.Home = None,
    address: options.Address = None,
    slots: Annotated[
        int | None,
        typer.Option("--slots", min=1, metavar="N", help="Jobs of one TDE at the same time.", show_default=False),
    ] = None,
    monitoring_port: Annotated[
        int | None,
        typer.Option(
            "--monitoring-port",
            metavar="PORT",
            help="Port of /healthz, /readyz and /metrics.",
            show_default=False,
        ),
    ] = None,
    dev: Annotated[bool, typer.Option("--dev", help="Start anew whenever a file of the modules changes.")] = False,
) -> None:
    """Run TDEs alone, next to any kernel or none, until Ctrl-C: procos worker greetings --dev."""
    settings = settings_of(home=home, address=address, worker_slots=slots, monitoring_port=monitoring_port).values
    from procos.wiring.worker_process import chosen_tdes, work

    names = modules or []
    if dev:
        _reload(names)
        return
    work(settings, chosen_tdes(names), on_start=_tell)


def _tell(started: "Started") -> None:
    names = ", ".join(tde.name for tde in started.tdes)
    say(f"working on {names} for the engine at {started.address}")
    say(f"health and metrics at http://{started.monitoring}/metrics, Ctrl-C drains and ends")


def _reload(modules: list[str]) -> None:
    """Runs the same command without --dev, again after each change."""
    from procos.wiring.reloading import run_again_on_change

    command = [sys.executable, "-m", "procos", *(word for word in sys.argv[1:] if word != "--dev")]
    run_again_on_change(command, modules=modules, folder=Path.cwd(), tell=say)
