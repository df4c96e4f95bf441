"""`procos boot` and `procos down`."""

import subprocess
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from procos.cli import options
from procos.cli.output import progress_bar, say, settings_of

if TYPE_CHECKING:
    from procos.model.kernel_state import KernelState
    from procos.settings import Settings

_LOOK_AGAIN_S: Final = 0.1
_ENGINE_GRACE: Final = timedelta(seconds=45)


def boot(
    home: options.Home = None,
    address: options.Address = None,
    engine_version: options.EngineVersion = None,
    engine_home: options.EngineHome = None,
    engine_port: options.EnginePort = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when the kernel is ready; it goes on.")
    ] = False,
) -> None:
    """Boot the kernel: start or reach the engine, deploy kernel processes, register TDEs, work until Ctrl-C."""
    given: dict[str, object] = {
        "home": home,
        "address": address,
        "engine_version": engine_version,
        "engine_home": engine_home,
        "engine_port": engine_port,
    }
    settings = settings_of(quiet=True, **given).values
    if detach:
        _boot_detached(settings, given)
    else:
        _boot_here(settings)


def down(home: options.Home = None) -> None:
    """Stop the kernel of this home, and the embedded engine that it started."""
    from procos.wiring.boot import stop_kernel

    settings = settings_of(home=home).values
    kernel, engine = stop_kernel(settings, longest=settings.drain_grace + _ENGINE_GRACE)
    if kernel:
        say("kernel stopped, jobs drained")
    elif engine:
        say("the kernel had been killed; its engine is stopped")
    else:
        say(f"nothing runs in {settings.home}")


def _boot_here(settings: "Settings") -> None:
    from procos.kernel.home import Home
    from procos.telemetry.logs import set_up_logging
    from procos.wiring.boot import boot as boot_kernel

    home = Home(settings.home)
    home.prepare()
    set_up_logging(level=settings.log_level, log_format=settings.log_format, file=home.kernel_log)
    teller = _Teller(foreground=True)
    with progress_bar(settings) as bar:

        def on_change(state: "KernelState") -> None:
            bar.stop()
            teller(state)

        boot_kernel(settings, progress=bar, on_change=on_change)


def _boot_detached(settings: "Settings", given: dict[str, object]) -> None:
    from procos.kernel import presence
    from procos.kernel.home import Home

    home = Home(settings.home)
    home.prepare()
    if not settings.address:
        from procos.wiring.engines import embedded_engine

        with progress_bar(settings) as bar:  # here, where somebody sees it
            embedded_engine(settings).install(bar)
    command = [sys.executable, "-m", "procos", "boot"]
    for name, value in given.items():
        if value is not None:
            command += [f"--{name.replace('_', '-')}", str(value)]
    output = home.logs / "boot.out"
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)
    teller = _Teller(foreground=False)
    while process.poll() is None:
        state = presence.read(home)
        if state is not None and state.pid == process.pid:
            teller(state)
            if state.phase == "ready":
                return
            if state.phase == "degraded":
                raise typer.Exit(1)
        time.sleep(_LOOK_AGAIN_S)
    sys.stderr.write(output.read_text(errors="replace"))
    raise typer.Exit(process.returncode or 1)


class _Teller:
    """Tells a person each new thing about the kernel, once."""

    def __init__(self, *, foreground: bool) -> None:
        self._foreground = foreground
        self._said: set[str] = set()

    def __call__(self, state: "KernelState") -> None:
        for problem in state.problems:
            self._once(f"! {problem.what}" + (f"\n  {problem.hint}" if problem.hint else ""))
        if state.phase == "waiting":
            self._once(f"waiting for the gateway at {state.address}")
        elif state.phase == "degraded":
            self._once("the kernel waits: mend what is named above and resolve the incident, or stop it (procos down)")
        elif state.phase == "ready":
            kind = "embedded Zeebe" if state.embedded else "Zeebe"
            self._once(f"ready: {kind} {state.engine_version} at {state.address}, TDEs: {', '.join(state.tdes)}")
            self._once(
                "Ctrl-C stops it" if self._foreground else f"kernel runs as process {state.pid}; `procos down` stops it"
            )
        elif state.phase == "draining":
            self._once("draining: running jobs finish, the rest is handed back")

    def _once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            say(text)
