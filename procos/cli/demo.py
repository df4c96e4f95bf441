"""`procos demo`: the shortest way to see ProcOS work."""

import asyncio
import time
from typing import TYPE_CHECKING

from procos.cli import options
from procos.cli.output import print_json, print_table, progress_bar, say, settings_of

if TYPE_CHECKING:
    from procos.wiring.demo import DemoResult


_SUMMARY = ("verdict", "counts", "markdownPath", "jsonPath", "httpStatus", "delivered")
"""The variables of the example that a person wants to see."""


def demo(
    home: options.Home = None,
    engine_version: options.EngineVersion = None,
    engine_home: options.EngineHome = None,
    as_json: options.Json = False,
) -> None:
    """Boot, deploy and run the shipped example on real input, show what happened, and stop everything again."""
    from procos.kernel.home import Home
    from procos.telemetry.logs import set_up_logging
    from procos.wiring.boot import running_engine
    from procos.wiring.demo import demo_settings, play, serve_webhook

    loaded = settings_of(quiet=True, home=home, engine_version=engine_version, engine_home=engine_home)
    settings = demo_settings(loaded.values)
    started = time.monotonic()

    def tell(text: str) -> None:
        say(f"{time.monotonic() - started:5.1f} s  {text}")

    kernel_home = Home(settings.home)
    kernel_home.prepare()
    set_up_logging(level=settings.log_level, file=kernel_home.kernel_log, quiet=True)
    with progress_bar(settings) as bar, serve_webhook() as webhook:
        tell(f"starting Zeebe {settings.engine_version}")
        with running_engine(settings, progress=bar) as ground:
            bar.stop()
            tell(f"engine ready at {ground.state.address}")
            result = asyncio.run(play(settings, ground, webhook, tell))
            tell("example done; stopping the engine")
    tell("stopped")
    summary = {name: result.progress.variables.get(name) for name in _SUMMARY}
    if as_json:
        print_json({"steps": _steps(result), **summary, "webhookReceived": len(result.posts)})
        return
    _print_steps(result)
    counts = ", ".join(f"{number} {name}" for name, number in (summary["counts"] or {}).items())
    say(f"\nverdict: {summary['verdict']} ({counts})")
    say(f"report:  {summary['markdownPath']}")
    say(f"         {summary['jsonPath']}")
    say(f"webhook: {len(result.posts)} report received, answered with {summary['httpStatus']}")


def _steps(result: "DemoResult") -> list[dict[str, object]]:
    return [
        {
            "name": result.names.get(step.element_id, step.element_id),
            "type": step.element_type,
            "times": step.times,
            "seconds": step.seconds,
            "status": step.status,
            "trouble": step.trouble,
        }
        for step in result.progress.steps.values()
    ]


def _print_steps(result: "DemoResult") -> None:
    rows = []
    for step in result.progress.steps.values():
        if step.element_type.endswith("GATEWAY") and not result.names.get(step.element_id, "").endswith("?"):
            continue  # one that only joins or forks tells nobody anything
        name = result.names.get(step.element_id, step.element_id)
        times = f"{step.times} times" if step.times > 1 else ""
        rows.append((name, _kind(step.element_type), times, f"{step.seconds:.2f} s", step.trouble or step.status))
    print_table(["step", "kind", "", "took", "outcome"], rows)


def _kind(element_type: str) -> str:
    return "gateway" if element_type.endswith("GATEWAY") else element_type.replace("_", " ").lower()
