"""Everything that an embedded engine has recorded so far."""

from pathlib import Path

from procos.adapters.record_log import read_record
from procos.model.record import Record


def records_in(home: Path) -> list[Record]:
    """The records of the engine of that home, in order; a line that is being written is left out."""
    folder = home / "engine" / "records"
    files = sorted(folder.glob("records-*.jsonl"), key=lambda file: int(file.stem.rpartition("-")[2]))
    found = []
    for file in (*files, folder / "records.jsonl"):
        for line in file.read_bytes().splitlines():
            record = read_record(line)
            if record is not None:
                found.append(record)
    return found
