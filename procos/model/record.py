"""One record of the engine's own log of everything that happens."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record; (`partition_id`, `position`) names it once and for all.

    `record_type` is EVENT, COMMAND or COMMAND_REJECTION; `value_type` and `intent` are the engine's own words
    (JOB / FAILED, PROCESS_INSTANCE / ELEMENT_COMPLETED); `value` is the record's payload as the engine wrote it.
    """

    partition_id: int
    position: int
    record_type: str
    value_type: str
    intent: str
    key: int
    timestamp: datetime
    value: Mapping[str, Any]
