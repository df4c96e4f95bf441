"""`procos status`, `procos doctor` and `procos config`: what runs, what is wrong, what is set."""

import asyncio
from typing import TYPE_CHECKING

import typer

from procos.cli import options
from procos.cli.output import print_json, print_table, say, settings_of

if TYPE_CHECKING:
    from procos.model.kernel_state import KernelState

_NOT_REACHABLE = 3


def status(home: options.Home = None, as_json: options.Json = False) -> None:
    """Show the kernel of this home; exit code 3 when none runs or its engine is away, 1 when a check failed."""
    from procos.kernel import presence
    from procos.kernel.home import Home

    settings = settings_of(home=home).values
    state = presence.read(Home(settings.home))
    if as_json:
        print_json(state.model_dump(mode="json") if state else None)
    elif state is None:
        say(f"no kernel runs in {settings.home}; `procos boot` starts one")
    else:
        _print_status(state)
    if state is None or state.phase in {"waiting", "reconnecting"}:
        raise typer.Exit(_NOT_REACHABLE)
    if state.phase == "degraded":
        raise typer.Exit(1)


def doctor(home: options.Home = None, address: options.Address = None, as_json: options.Json = False) -> None:
    """Examine everything that ProcOS needs here, and say how to mend what is wrong; exit code 1 when something is."""
    from dataclasses import asdict

    from procos.wiring.doctor import examine

    settings = settings_of(home=home, address=address).values
    findings = asyncio.run(examine(settings))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        rows = []
        for finding in findings:
            rows.append(("ok" if finding.is_well else "WRONG", finding.part, finding.text))
            if finding.hint:
                rows.append(("", "", f"→ {finding.hint}"))
        print_table(["", "part", "finding"], rows)
    if not all(finding.is_well for finding in findings):
        raise typer.Exit(1)


def config(home: options.Home = None, as_json: options.Json = False) -> None:
    """Show every setting with its value and its source; secrets are masked."""
    from procos.settings import Settings

    loaded = settings_of(home=home)
    if as_json:
        print_json({name: {"value": value, "source": source} for name, value, source in loaded.rows()})
        return
    print_table(["setting", "value", "source"], loaded.rows())
    say(f"{len(Settings.model_fields)} settings; set them with PROCOS_NAME, in procos.toml, or on the command line")


def _print_status(state: "KernelState") -> None:
    kind = "embedded" if state.embedded else "gateway"
    facts = [
        ("phase", state.phase),
        ("engine", f"Zeebe {state.engine_version or '?'} ({kind}) at {state.address}"),
        ("process", f"{state.pid}, since {state.started_at.astimezone():%Y-%m-%d %H:%M:%S}"),
        ("TDEs", ", ".join(state.tdes) or "none yet"),
        ("monitoring", f"http://{state.monitoring}/metrics, /healthz, /readyz"),
    ]
    for problem in state.problems:
        facts.append(("problem", problem.what))
        if problem.hint:
            facts.append(("", f"→ {problem.hint}"))
    print_table(["kernel", state.kernel_id], facts)
    rows = [
        (it.job_type, *map(str, (it.in_hand, it.completed, it.failed, it.errors_thrown, it.replayed)))
        for it in state.workers
    ]
    if rows:
        typer.echo()
        print_table(["job type", "in hand", "completed", "failed", "errors", "replayed"], rows)
