"""`--dev`: a command is started anew whenever a Python file that it works with changes."""

import importlib.util
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from procos.errors import UsageError

_LONGEST_END_S: Final = 40
"""Longer than a drain takes; whatever does not end by then is killed."""


def run_again_on_change(
    command: Sequence[str], *, modules: Sequence[str], folder: Path, tell: Callable[[str], None]
) -> None:
    """Runs `command`, and again after each change of a file of `modules`, until Ctrl-C or SIGTERM.

    A command that ends by itself, because of a mistake in the file, say, waits for the next change.

    Raises:
        UsageError: a module is not found.
    """
    import watchfiles  # noqa: PLC0415 - only here

    places = sorted({_place(module, folder) for module in modules} or {folder})
    tell(f"watching {', '.join(map(str, places))}")
    before = signal.signal(signal.SIGTERM, _interrupt)
    process = subprocess.Popen(command)
    try:
        for changes in watchfiles.watch(*places, watch_filter=watchfiles.PythonFilter(), raise_interrupt=True):
            changed = sorted({Path(path).name for _, path in changes})
            tell(f"{', '.join(changed)} changed; starting anew")
            _end(process)
            process = subprocess.Popen(command)
    except KeyboardInterrupt:
        pass
    finally:
        _end(process)
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _place(module: str, folder: Path) -> Path:
    """The folder to watch for a module: that of its package, or its file's own."""
    module = module.partition(":")[0]
    if module.endswith(".py"):
        return Path(module).absolute().parent
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    top = module.partition(".")[0]
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        found = None
    if found is None or (found.origin is None and not found.submodule_search_locations):
        raise UsageError(f"there is no module '{module}'", hint="name a module that Python finds from here, or a file")
    if found.submodule_search_locations:
        return Path(next(iter(found.submodule_search_locations)))
    return Path(str(found.origin)).parent


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_LONGEST_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
