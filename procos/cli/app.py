"""The `procos` command and its subcommands."""

from typing import Annotated

import typer

from procos.cli import boot, deploy, engine, pdo, route, run, status, tde, tde_new, worker
from procos.cli import demo as demo_command

app = typer.Typer(
    name="procos",
    help="ProcOS: a process operating system on Zeebe / Camunda 8. Start with `procos demo`.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from procos import __version__

        typer.echo(f"procos {__version__}")
        raise typer.Exit


@app.callback()
def _procos(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """ProcOS: a process operating system on Zeebe / Camunda 8. Start with `procos demo`."""


app.command("demo")(demo_command.demo)
app.command("boot")(boot.boot)
app.command("down")(boot.down)
app.command("status")(status.status)
app.command("doctor")(status.doctor)
app.command("config")(status.config)
app.command("deploy")(deploy.deploy)
app.command("run")(run.run)
app.command("route")(route.route)
app.command("worker")(worker.worker)
tde.app.command("new")(tde_new.new)
tde.app.command("from-openapi")(tde_new.from_openapi)
app.add_typer(tde.app, name="tde")
app.add_typer(engine.app, name="engine")
app.add_typer(pdo.app, name="pdo")
