"""`procos engine …`: the embedded engine alone."""

import time
from typing import Annotated

import typer

from procos.cli import options
from procos.cli.output import print_json, print_table, progress_bar, say, settings_of

app = typer.Typer(help="The embedded engine alone: install, start, stop, status, logs.", no_args_is_help=True)

_LOOK_AGAIN_S = 0.2


@app.command()
def install(
    engine_version: options.EngineVersion = None,
) -> None:
    """Fetch the engine now, so that the first boot needs no network."""
    from procos.wiring.engines import embedded_engine

    settings = settings_of(engine_version=engine_version).values
    with progress_bar(settings) as bar:
        folder = embedded_engine(settings).install(bar)
    say(f"Zeebe {settings.engine_version} is in")
    typer.echo(folder)


@app.command()
def start(
    home: options.Home = None,
    engine_version: options.EngineVersion = None,
    engine_home: options.EngineHome = None,
    engine_port: options.EnginePort = None,
) -> None:
    """Start the engine without a kernel; it runs until `procos engine stop`."""
    from procos.wiring.engines import embedded_engine

    settings = settings_of(
        home=home, engine_version=engine_version, engine_home=engine_home, engine_port=engine_port
    ).values
    with progress_bar(settings) as bar:
        running = embedded_engine(settings).start(started_by="operator", progress=bar)
    say(f"Zeebe {running.version} {'runs already' if running.adopted else 'started'} at {running.address}")


@app.command()
def stop(home: options.Home = None) -> None:
    """Stop the engine of this home; refused while a kernel works on it."""
    from procos.errors import KernelError
    from procos.kernel import presence
    from procos.kernel.home import Home
    from procos.wiring.engines import embedded_engine

    settings = settings_of(home=home).values
    kernel = presence.read(Home(settings.home))
    if kernel is not None and kernel.embedded:
        raise KernelError(
            f"a kernel (process {kernel.pid}) works on this engine, and would start it again",
            hint="`procos down` stops the kernel first, and with it the engine that it started",
        )
    say("engine stopped" if embedded_engine(settings).stop() else f"no engine runs in {settings.home}")


@app.command()
def status(home: options.Home = None, as_json: options.Json = False) -> None:
    """Show the engine of this home; exit code 3 when none runs."""
    from dataclasses import asdict

    from procos.wiring.engines import embedded_engine

    settings = settings_of(home=home).values
    running = embedded_engine(settings).status()
    if as_json:
        print_json(asdict(running) if running else None)
    elif running:
        facts = {name.replace("_", " "): str(value) for name, value in asdict(running).items() if name != "created"}
        print_table(["engine", ""], list(facts.items()))
    else:
        say(f"no engine runs in {settings.home}")
    if running is None:
        raise typer.Exit(3)


@app.command()
def logs(
    home: options.Home = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")] = False,
) -> None:
    """Print the engine's log."""
    from procos.adapters.rolled_file import RolledFile
    from procos.errors import UsageError
    from procos.wiring.engines import embedded_engine

    settings = settings_of(home=home).values
    engine = embedded_engine(settings)
    if not engine.log_path.exists():
        raise UsageError(f"there is no engine log in {settings.home}", hint="`procos engine start` makes one")
    new = RolledFile(engine.log_path)
    for line in engine.tail(lines):
        typer.echo(line)
    while follow:
        for written in new.new_lines():
            typer.echo(written.decode(errors="replace"))
        time.sleep(_LOOK_AGAIN_S)
