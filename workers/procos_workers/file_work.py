"""One job of the file TDE: the task together with where its paths lie."""

import hashlib
import os
import stat
from dataclasses import dataclass

from procos.sdk import GiveUp, TaskContext
from procos_workers.file_task import FileConfig, FileInput, FileOutput, answer_for
from procos_workers.rooted_folder import Place, Roots, find, open_file

CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class FileWork:
    """What an operation needs to know."""

    task: FileInput
    context: TaskContext[FileConfig]
    roots: Roots

    @property
    def config(self) -> FileConfig:
        """The settings."""
        return self.context.config

    @property
    def source(self) -> Place:
        """Where `path` lies."""
        return self.roots.place(self.task.path)

    @property
    def target(self) -> Place:
        """Where `to` lies.

        Raises:
            GiveUp: the task has no `to`, or it leads out of the roots.
        """
        if self.task.to is None:
            raise GiveUp(f"{self.where}: there is no 'to'; give the task the new path")
        return self.roots.place(self.task.to)

    @property
    def where(self) -> str:
        """The task as errors name it."""
        to = self.task.to
        has_target = to is not None and self.task.operation in {"move", "copy"}
        return f"{self.task.operation} {self.task.path}" + (f" to {to}" if has_target else "")

    def describe(self, place: Place) -> FileOutput:
        """The answer for what lies at the place now."""
        found = find(place)
        if found is None or stat.S_ISDIR(found.st_mode):
            return answer_for(place.path, exists=found is not None)
        if found.st_size > self.config.max_bytes:
            return answer_for(place.path, exists=True, size_bytes=found.st_size)
        with place.open_parent() as folder:
            size, sha256 = measure(folder, place)
        return answer_for(place.path, exists=True, size_bytes=size, sha256=sha256)


def measure(folder: int, place: Place) -> tuple[int, str]:
    """Size in bytes and SHA-256 of the file under the place's name in the opened folder."""
    digest, size = hashlib.sha256(), 0
    with os.fdopen(open_file(folder, place), "rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()
