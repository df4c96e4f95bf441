"""`procos pdo`: the heartbeat."""

from typing import TYPE_CHECKING

import typer

from procos.cli import options
from procos.cli.output import print_json, print_table, say, settings_of

if TYPE_CHECKING:
    from procos.model.heartbeat import HeartbeatReport

app = typer.Typer(name="pdo", help="The heartbeat, which finds tasks that nobody claims.", no_args_is_help=True)
_NOT_BEATING = 3


@app.callback()
def _pdo() -> None:
    """The heartbeat, which finds tasks that nobody claims."""


@app.command("status")
def status(home: options.Home = None, as_json: options.Json = False) -> None:
    """Show how the heartbeat does, as this home's kernel sees it; exit code 3 when no kernel takes part in it."""
    from procos.kernel import presence
    from procos.kernel.home import Home

    settings = settings_of(home=home).values
    state = presence.read(Home(settings.home))
    report = state.heartbeat if state else None
    if as_json:
        print_json(report.model_dump(mode="json") if report else None)
    elif report is None:
        say(f"no kernel of {settings.home} takes part in a heartbeat; `procos boot` starts one")
    else:
        _print(report)
    if report is None:
        raise typer.Exit(_NOT_BEATING)


def _print(report: "HeartbeatReport") -> None:
    last = f"{report.last_beat_at.astimezone():%Y-%m-%d %H:%M:%S}" if report.last_beat_at else "none yet"
    facts = [
        ("last beat", f"{last}, {report.lag_s:.2f} s late"),
        ("next beat", f"{report.pause_s:g} s after it, or when woken"),
        ("beats", f"{report.beats}" + (f", {report.failed_beats} failed" if report.failed_beats else "")),
        ("tasks found", str(report.found)),
        ("handed over", str(report.handed_over)),
        ("routed", f"{report.routed}, {report.abstained} left to a person"),
        ("delivered", str(report.delivered)),
    ]
    if report.trouble:
        facts.append(("trouble", report.trouble))
    print_table(["heartbeat", str(report.instance_key or "")], facts)
    say("counted by this kernel since its boot; other kernels on the same engine count their own")
