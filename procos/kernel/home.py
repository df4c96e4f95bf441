"""A home: the folder in which one kernel keeps everything."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from procos.errors import KernelError


@dataclass(frozen=True)
class Home:
    """The folder at `path`; nothing is created until `prepare`."""

    path: Path

    @property
    def state(self) -> Path:
        """Folder of what the kernel remembers."""
        return self.path / "state"

    @property
    def logs(self) -> Path:
        """Folder of the kernel's own logs (the engine's are in `engine/logs`)."""
        return self.path / "logs"

    @property
    def state_file(self) -> Path:
        """The kernel's state (`procos.model.kernel_state.KernelState` as JSON)."""
        return self.state / "kernel.json"

    @property
    def lock_file(self) -> Path:
        """Held by the one kernel of this home."""
        return self.state / "kernel.lock"

    @property
    def catalogue_file(self) -> Path:
        """The manifests of the registered TDEs, as JSON."""
        return self.state / "catalogue.json"

    @property
    def database_file(self) -> Path:
        """The state database, where no other is set."""
        return self.state / "procos.db"

    @property
    def objects(self) -> Path:
        """Folder of the object store: data too large for process variables."""
        return self.path / "objects"

    @property
    def kernel_log(self) -> Path:
        """The kernel's log."""
        return self.logs / "kernel.log"

    def tde_folder(self, name: str) -> Path:
        """The folder in which a TDE may keep files."""
        return self.path / "tde" / name

    def prepare(self) -> None:
        """Creates the folders.

        Raises:
            KernelError: they cannot be created or written; names the folder.
        """
        for folder in (self.path, self.state, self.logs):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise self._unusable(folder, error.strerror or str(error)) from error
            if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
                raise self._unusable(folder, "no permission to write")

    def kernel_id(self) -> str:
        """The id of this home's kernel: made once, kept over boots."""
        file = self.state / "kernel-id"
        known = file.read_text(encoding="ascii").strip() if file.exists() else ""
        if not known:  # also when a crash left the file empty
            known = f"k{secrets.token_hex(4)}"
            file.write_text(known, encoding="ascii")
        return known

    @staticmethod
    def _unusable(folder: Path, reason: str) -> KernelError:
        return KernelError(
            f"the home folder {folder} cannot be used: {reason}",
            hint="make it writable for this user, or choose another with --home or PROCOS_HOME",
        )
