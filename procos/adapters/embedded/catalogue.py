"""The engine's distributions that ProcOS knows."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """What is known of one distribution; `size` is the archive's and `unpacked_size` the folder's, in bytes."""

    version: str
    sha256: str
    size: int
    unpacked_size: int
    licence: str
    group_id: str = "io.camunda"
    artifact_id: str = "camunda-zeebe"

    @property
    def folder_name(self) -> str:
        """The name of the folder in the archive, and of the installed one."""
        return f"{self.artifact_id}-{self.version}"

    @property
    def repository_path(self) -> str:
        """Where a Maven repository keeps the archive."""
        return f"{self.group_id.replace('.', '/')}/{self.artifact_id}/{self.version}/{self.folder_name}.tar.gz"


DISTRIBUTIONS: Mapping[str, Distribution] = {
    "8.6.0": Distribution(
        version="8.6.0",
        sha256="5c699e86a6c9d290dd7b1f0b2ea648fb57fd1dacf1cab22c874219e58827ea45",
        size=299_201_896,
        unpacked_size=321_000_000,
        licence="Camunda License 1.0 (free for development only)",
    ),
    "8.5.8": Distribution(
        version="8.5.8",
        sha256="53ce62b008e61a87a3f7aed700065ad1352084a24c85771bc4e8300828bf95b4",
        size=212_102_843,
        unpacked_size=251_000_000,
        licence="Zeebe Community License 1.1 (production use allowed, but not as a commercial automation service)",
    ),
}
"""Checksums were computed from the files in Maven Central; the licence texts are in the archives themselves."""
