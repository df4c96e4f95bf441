"""The RecordSource port on the JSON-lines log that the embedded engine writes."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from procos.adapters.rolled_file import RolledFile
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
    """Follows the log over roll-overs."""

    def __init__(self, path: Path) -> None:
        self._file = RolledFile(path)

    async def of_instance(self, process_instance_key: int) -> AsyncIterator[Record]:
        """Yields an instance's records as they come, until the instance has ended."""
        key = str(process_instance_key).encode()
        try:
            while True:
                for line in self._file.new_lines():
                    record = read_record(line) if key in line else None
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
        self._file.close()


def read_record(line: bytes) -> Record | None:
    """The record in a line of the log, None, with a warning, where there is none."""
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
