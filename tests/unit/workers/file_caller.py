"""Calls the TDE `file` as the function that it is."""

from pathlib import Path

from procos_workers.file import file
from procos_workers.file_task import FileConfig, FileInput, FileOutput
from tests.unit.workers.context import task_context


def do(
    root: Path, operation: str, path: str, *, config: FileConfig | None = None, job: int = 7, **fields
) -> FileOutput:
    task = FileInput.model_validate({"operation": operation, "path": path, **fields})
    settings = config or FileConfig(roots=[root])
    return file(task, task_context(settings, root.parent / "data", job_key=job))


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())
