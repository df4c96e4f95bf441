"""Logging: to stderr for people, to a file for later, as text or JSON; each line knows the job that it is about."""

import datetime as dt
import json
import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Literal

from procos.telemetry.job_facts import facts_of_this_job
from procos.telemetry.secret_mask import secret_mask

LogFormat = Literal["text", "json"]

_FILE_BYTES = 10 * 1024 * 1024
_FILES_KEPT = 5


class _WithJobFacts(logging.Filter):
    """Puts the facts of the job that is being worked on onto the record, where the line does not bring its own."""

    def filter(self, record: logging.LogRecord) -> bool:
        given = getattr(record, "job", None)
        record.job = given if isinstance(given, dict) else facts_of_this_job()
        return True


class _TextFormatter(logging.Formatter):
    """One line for people; the correlationId stands at its end."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s  %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        correlation_id = getattr(record, "job", {}).get("correlationId")
        line = super().formatMessage(record)
        return f"{line}  correlationId={correlation_id}" if correlation_id else line


class _JsonFormatter(logging.Formatter):
    """One JSON object a line: time (ISO 8601, UTC), level, logger, message, the job's facts, and the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "job", {}),
        }
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["exception"] = record.exc_text
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up_logging(
    *, level: str, file: Path | None = None, quiet: bool = False, log_format: LogFormat = "text"
) -> None:
    """Sends the log to stderr (unless `quiet`) and to `file`, which rolls over at 10 MiB and keeps five old ones."""
    handlers: list[logging.Handler] = [] if quiet else [logging.StreamHandler(sys.stderr)]
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(RotatingFileHandler(file, maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8"))
    formatter = _JsonFormatter() if log_format == "json" else _TextFormatter()
    for handler in handlers:
        handler.setFormatter(formatter)
        handler.addFilter(_WithJobFacts())
        handler.addFilter(secret_mask)
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("procos").setLevel(level.upper())
    logging.getLogger("procos_workers").setLevel(level.upper())
