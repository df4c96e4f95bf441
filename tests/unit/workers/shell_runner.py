"""Calls the TDE `shell` as the function that it is."""

from pathlib import Path
from typing import Any

from procos_workers.shell import ShellConfig, ShellInput, ShellOutput, shell
from tests.unit.workers.context import task_context


async def run_shell(
    data_folder: Path, /, *command: str, config: dict[str, Any] | None = None, **given: Any
) -> ShellOutput:
    """Runs the command with `[tde.shell]` as in `config`; `given` are the task's other inputs."""
    context = task_context(ShellConfig(**(config or {})), data_folder)
    return await shell(ShellInput(command=list(command), **given), context)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path
