"""Where an embedded engine keeps its things, all below PROCOS_HOME/engine."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from procos.adapters.embedded.versions import is_older
from procos.errors import EngineError


class EngineFolders:
    """The folders and files of the engine of one home."""

    def __init__(self, home: Path) -> None:
        self.root = home.expanduser().resolve() / "engine"
        self.data = self.root / "data"
        self.logs = self.root / "logs"
        self.records = self.root / "records"
        self.temporary = self.root / "tmp"
        self.facts = self.root / "engine.json"
        self.lock = self.root / "engine.lock"
        self.log = self.logs / "engine.log"
        self.output = self.logs / "broker.out"
        self.record_log = self.records / "records.jsonl"
        self._data_id = self.data / ".procos-data-id"
        self._data_version = self.data / ".procos-engine-version"

    def prepare(self) -> None:
        """Makes what is missing, and tries to write.

        Raises:
            EngineError: that is not possible; names the folder.
        """
        with self.writing():
            for folder in (self.root, self.data, self.logs, self.records, self.temporary):
                folder.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=folder):
                    pass

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turns errors of the file system into a sentence.

        Raises:
            EngineError: names the folder.
        """
        try:
            yield
        except OSError as error:
            where = error.filename or self.root
            raise EngineError(
                f"the engine's folder {self.root} cannot be used: {error.strerror or error} ({where})",
                hint="change the folder's permissions or owner, or choose another home with --home",
            ) from error

    def refuse_older(self, version: str) -> None:
        """Refuses to let an engine of `version` loose on the data of a newer one.

        Raises:
            EngineError: names both versions and the folder.
        """
        if not self._data_version.is_file():
            return
        written_by = self._data_version.read_text(encoding="utf-8").strip()
        if is_older(version, written_by):
            raise EngineError(
                f"the data in {self.data} was written by engine {written_by}; engine {version} is older and would"
                " not understand it",
                hint=f"use --engine-version {written_by}, or another home with --home, or move that folder away",
            )

    def mark_data(self, version: str) -> None:
        """Notes that an engine of `version` has run on the data."""
        with self.writing():
            self._data_version.write_text(f"{version}\n", encoding="utf-8")

    def data_id(self) -> str:
        """Tells this data from any other: made once, and gone with the data, whose job keys then begin anew."""
        with self.writing():
            try:
                with self._data_id.open("x", encoding="ascii") as file:
                    file.write(secrets.token_hex(8))
            except FileExistsError:
                pass
            return self._data_id.read_text(encoding="ascii")
