"""Why a broker did not start: read from what it left behind."""

import re
from collections.abc import Iterator
from pathlib import Path

_LINES = 4
_LONGEST = 300
_ENTRY_START = re.compile(r"^\d{4}-\d\d-\d\d \S+ \[.*?\] (\w+) +\S+ - ", re.MULTILINE)
_DESCRIPTION = re.compile(r"^Description:\n\n(.+)$", re.MULTILINE)
_CAUSE = re.compile(
    r"^\s*Caused by: (?:[\w.$]+(?:Exception|Error): (?=[\w.$]+(?:Exception|Error)\b))*(?:[\w$]+\.)*(.+)$", re.MULTILINE
)
_OUTPUT_ERROR = re.compile(
    r"^(?:Error|Exception in thread|Terminating due to|Invalid|Too small|Could not|Unrecognized|Conflicting)"
    r"|OutOfMemory|Killed|not found"
)
_GAVE_UP = "Application run failed"
_PORT_TAKEN = re.compile(r"Address already in use|Port \d+ was already in use")


class EngineTraces:
    """What a broker has written since its launch: since now, or since its log had `log_start` bytes."""

    def __init__(self, log: Path, output: Path, *, log_start: int | None = None) -> None:
        self._log = log
        self._output = output
        self.log_start = _size(log) if log_start is None else log_start

    def gave_up(self) -> bool:
        """Whether the engine logged the end of its start; its process may stay for ever even so."""
        return _GAVE_UP in self._new_log()

    def lost_port(self) -> bool:
        """Whether it found a port taken."""
        return _PORT_TAKEN.search(self._new_log()) is not None

    def reason(self) -> str:
        """The last few errors, or an empty text."""
        # What the JVM says when it gives up comes last, after what the engine itself had logged.
        found = [*_errors_in_log(self._new_log()), *_errors_in_output(_read(self._output, 0))]
        unique = list(dict.fromkeys(line.strip()[:_LONGEST] for line in found if line.strip()))
        return "; ".join(unique[-_LINES:])

    def _new_log(self) -> str:
        start = self.log_start if _size(self._log) >= self.log_start else 0  # it was rolled over meanwhile
        return _read(self._log, start)


def mend_for(reason: str, *, heap_mb: int, log: Path) -> str:
    """What to do about it."""
    if re.search("OutOfMemory|heap|memory|Killed", reason, re.IGNORECASE):
        return f"give the engine another heap than {heap_mb} MiB (PROCOS_ENGINE_HEAP_MB; 512 suits most uses)"
    if "No space left" in reason or "disk space" in reason:
        return "free some space on the disk of the home, or choose another home with --home"
    return f"look into {log}"


def _errors_in_log(text: str) -> Iterator[str]:
    _, *entries = _ENTRY_START.split(text)
    for level, message in zip(entries[::2], entries[1::2], strict=True):
        if level in {"ERROR", "FATAL"}:
            yield message.partition("\n")[0]
            yield from _DESCRIPTION.findall(message)  # where Spring explains an error in a paragraph of its own
            yield from _CAUSE.findall(message)[-1:]  # of a chain of causes the innermost tells most


def _errors_in_output(text: str) -> list[str]:
    return [line for line in text.splitlines() if _OUTPUT_ERROR.search(line)]


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _read(file: Path, start: int) -> str:
    if not file.is_file():
        return ""
    with file.open("rb") as content:
        content.seek(start)
        return content.read().decode("utf-8", errors="replace")
