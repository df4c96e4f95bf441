"""The RecordSource port on the JSON-lines log that the embedded engine writes."""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from procos.model.record import Record

_LOOK_AGAIN_S: Final = 0.05
_ENDED: Final = frozenset({"ELEMENT_COMPLETED", "ELEMENT_TERMINATED"})
_log = logging.getLogger(__name__)


class RecordLog:
    """The log at `path`; the engine rolls it over by renaming it and starting a new file under the same name."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def tail(self) -> "RecordLogTail":
        """A tail that starts with what is recorded after this call."""
        return RecordLogTail(self._path)


class RecordLogTail:
    """Follows the log over roll-overs; an unfinished last line waits for its rest."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = _open(path)
        if self._file is not None:
            self._file.seek(0, 2)
        self._rest = b""

    async def of_instance(self, process_instance_key: int) -> AsyncIterator[Record]:
        """Yields an instance's records as they come, until the instance has ended."""
        key = str(process_instance_key).encode()
        try:
            while True:
                for line in self._new_lines():
                    record = _parse(line) if key in line else None
                    if record is None or record.value.get("processInstanceKey") != process_instance_key:
                        continue
                    yield record
                    if record.key == process_instance_key and record.intent in _ENDED:
                        return
                await asyncio.sleep(_LOOK_AGAIN_S)
        finally:
            self.close()

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _new_lines(self) -> Iterator[bytes]:
        if self._file is None:
            self._file = _open(self._path)
            if self._file is None:
                return
        rolled = self._was_rolled_over()
        # Looked at before reading: what the old file got until it was rolled over is read as well.
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        yield from lines
        if rolled:
            self.close()

    def _was_rolled_over(self) -> bool:
        if self._file is None:
            return False
        try:
            return self._path.stat().st_ino != _inode(self._file)
        except FileNotFoundError:
            return False


def _open(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _inode(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_ino


def _parse(line: bytes) -> Record | None:
    try:
        fields: dict[str, Any] = json.loads(line)
        return Record(
            partition_id=fields["partitionId"],
            position=fields["position"],
            record_type=fields["recordType"],
            value_type=fields["valueType"],
            intent=fields["intent"],
            key=fields["key"],
            timestamp=datetime.fromtimestamp(fields["timestamp"] / 1000, UTC),
            value=fields["value"],
        )
    except (ValueError, KeyError, TypeError) as error:
        _log.warning("a line of the record log is no record and is passed over (%s): %.120r", error, line)
        return None
