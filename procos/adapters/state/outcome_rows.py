"""A ledger entry as a row of the table `outcome_ledger`, and back."""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from procos.adapters.state.json_text import checked_key, value_to_json
from procos.errors import StoreError
from procos.model.job import Completed, ErrorThrown, Failed, Outcome
from procos.model.ledger import LedgerEntry

_COMPLETED: Final = "completed"
_FAILED: Final = "failed"
_ERROR_THROWN: Final = "error thrown"
_MOST_FAILURES: Final = 2**31 - 1
_MICROSECOND: Final = timedelta(microseconds=1)
T = TypeVar("T")
_log = logging.getLogger(__name__)


class OutcomeRow(NamedTuple):
    """The columns between the key and `written_at`."""

    job_key: int
    failures: int
    progress: str | None
    outcome_kind: str | None
    outcome: str | None


def row_of(entry: LedgerEntry) -> OutcomeRow:
    """The row that keeps the entry.

    Raises:
        StoreError: its key or its failures are out of range, or something in it is not JSON.
    """
    key = checked_key(entry.job_key, "job")
    if not 0 <= entry.failures <= _MOST_FAILURES:
        raise StoreError(f"job {key}: {entry.failures} is no number of failures")
    kind, payload = _payload_of(entry.outcome)
    progress = None if entry.progress is None else value_to_json(entry.progress, f"job {key}: its progress")
    return OutcomeRow(
        key,
        entry.failures,
        progress,
        kind,
        None if payload is None else value_to_json(payload, f"job {key}: its outcome"),
    )


def entry_of(row: OutcomeRow) -> LedgerEntry:
    """The entry in a row.

    What cannot be read counts as not there, with a warning: the job then runs again, as it would without a ledger. A
    guessed outcome would be worse, and an error would come again at every attempt and block the job for ever.
    """
    return LedgerEntry(
        job_key=row.job_key,
        failures=row.failures,
        progress=_read(row.job_key, "progress", row.progress, lambda progress: progress),
        outcome=_read(
            row.job_key,
            "outcome",
            (row.outcome or "") if row.outcome_kind else None,
            partial(_outcome_of, row.outcome_kind),
        ),
    )


def _read(job_key: int, what: str, text: str | None, meaning: Callable[[Any], T]) -> T | None:
    if text is None:
        return None
    try:
        return meaning(json.loads(text))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        _log.warning(
            "job %s: the %s that the ledger keeps of it cannot be read (%s), perhaps a newer ProcOS has written it; "
            "the job runs as if it were not there",
            job_key, what, error,
        )  # fmt: skip
        return None


def _payload_of(outcome: Outcome | None) -> tuple[str | None, Mapping[str, Any] | None]:
    match outcome:
        case None:
            return None, None
        case Completed(variables):
            return _COMPLETED, {"variables": dict(variables)}
        case Failed(message, retries, backoff):
            return _FAILED, {"message": message, "retries": retries, "backoffMicroseconds": backoff // _MICROSECOND}
        case ErrorThrown(code, message, variables):
            return _ERROR_THROWN, {"code": code, "message": message, "variables": dict(variables)}


def _outcome_of(kind: str | None, payload: object) -> Outcome:
    match kind, payload:
        case "completed", {"variables": dict(variables), **rest} if not rest:
            return Completed(variables)
        case "failed", {"message": str(message), "retries": int(retries), "backoffMicroseconds": int(wait), **rest} if (
            not rest
        ):
            return Failed(message, retries, timedelta(microseconds=wait))
        case "error thrown", {"code": str(code), "message": str(message), "variables": dict(variables), **rest} if (
            not rest
        ):
            return ErrorThrown(code, message, variables)
    raise ValueError(f"an outcome of kind '{kind}' with these parts is not known")
