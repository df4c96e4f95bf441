"""An OutcomeLedger that lives as long as its test."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from procos.errors import StoreError
from procos.model.job import Completed, ErrorThrown, Outcome
from procos.model.ledger import LedgerEntry


class MemoryOutcomeLedger:
    """The OutcomeLedger port in memory: keeps copies, as a database would, and refuses what is not JSON."""

    def __init__(self) -> None:
        self._entries: dict[int, tuple[datetime, LedgerEntry]] = {}
        self._is_closed = False

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self._entries)

    async def recall(self, job_keys: Sequence[int]) -> Mapping[int, LedgerEntry]:
        """The entries of those of `job_keys` that have one."""
        self._check_open()
        return {key: _copy(self._entries[key][1]) for key in job_keys if key in self._entries}

    async def record(self, entries: Sequence[LedgerEntry]) -> None:
        """Writes all of `entries`, or none; an entry that is there is replaced."""
        self._check_open()
        now = datetime.now(UTC)
        self._entries |= {entry.job_key: (now, _copy(entry)) for entry in entries}

    async def forget(self, job_keys: Collection[int]) -> None:
        """Removes entries; a key without one is no error."""
        self._check_open()
        for key in job_keys:
            self._entries.pop(key, None)

    async def prune(self, older_than: timedelta) -> int:
        """Removes entries that nobody has written for that long, and says how many."""
        self._check_open()
        now = datetime.now(UTC)
        old = [key for key, (written_at, _) in self._entries.items() if now - written_at >= older_than]
        await self.forget(old)
        return len(old)

    async def close(self) -> None:
        """Further calls are refused."""
        self._is_closed = True

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreError("the outcome ledger is closed")


def _copy(entry: LedgerEntry) -> LedgerEntry:
    try:
        return replace(entry, progress=_json_copy(entry.progress), outcome=_copy_outcome(entry.outcome))
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"job {entry.job_key}: its progress or its outcome is not JSON: {error}") from None


def _copy_outcome(outcome: Outcome | None) -> Outcome | None:
    if isinstance(outcome, Completed | ErrorThrown):
        return replace(outcome, variables=_json_copy(dict(outcome.variables)))
    return outcome


def _json_copy(value: Any) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(json.dumps(value, allow_nan=False))
