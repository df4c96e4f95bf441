"""A kernel that is killed exactly while it has a certain job in hand."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator

from procos.adapters.record_log import read_record
from procos.adapters.rolled_file import RolledFile
from procos.model.record import Record
from tests.engine.conftest import Procos

_OVER = frozenset({"COMPLETED", "FAILED", "ERROR_THROWN", "CANCELED"})
_WRITTEN_S = 0.5
"""What was under way when a kernel was held is in the engine's records after that time."""


class Killer:
    """Watches the records of a kernel's engine from now on."""

    def __init__(self, kernel: Procos) -> None:
        state = kernel.state()
        assert state is not None
        self._pid = int(state["pid"])
        self._log = RolledFile(kernel.home / "engine" / "records" / "records.jsonl")

    def kill_with(self, job_type: str, *, longest: float = 60) -> int:
        """Kills the kernel while it has a job of that type in hand, and gives the job's key.

        It is held as soon as the records show a job with it. Where they show that it had done with the job by then,
        it goes on, and the next one is waited for.
        """
        end = time.monotonic() + longest
        with contextlib.closing(self._log):
            while time.monotonic() < end:
                records = list(self._records())
                for key in _taken(records, job_type):
                    os.kill(self._pid, signal.SIGSTOP)
                    time.sleep(_WRITTEN_S)
                    records += self._records()
                    if not any(record.key == key and record.intent in _OVER for record in records):
                        os.kill(self._pid, signal.SIGKILL)
                        return key
                    os.kill(self._pid, signal.SIGCONT)
                time.sleep(0.001)
        raise AssertionError(f"the kernel never had a job of type {job_type} in hand for long enough")

    def _records(self) -> Iterator[Record]:
        for line in self._log.new_lines():
            if b'"JOB' in line and (record := read_record(line)):
                yield record


def _taken(records: list[Record], job_type: str) -> Iterator[int]:
    for record in records:
        if (record.value_type, record.intent) == ("JOB_BATCH", "ACTIVATED") and record.value["type"] == job_type:
            yield from record.value["jobKeys"][:1]
