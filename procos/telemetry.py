"""Logging: to stderr for people, to a file for later; secrets that a job has used are masked in both."""

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

MASK = "***"
_SHORTEST_SECRET = 4
_LOG_FILE_BYTES = 10 * 1024 * 1024
_LOG_FILES_KEPT = 5


class SecretMask(logging.Filter):
    """Masks every secret that was resolved in this process, wherever it turns up in a log line."""

    def __init__(self) -> None:
        super().__init__()
        self._secrets: set[str] = set()

    def add(self, secret: str) -> None:
        """Masks `secret` from now on; very short ones would mask half of the text and are left alone."""
        if len(secret) >= _SHORTEST_SECRET:
            self._secrets.add(secret)

    def apply(self, text: str) -> str:
        """`text` without the secrets, the longest first, so that one inside another leaves nothing behind."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, MASK)
        return text

    def filter(self, record: logging.LogRecord) -> bool:
        """Masks the record's message, arguments and traceback."""
        if self._secrets:
            record.msg = self.apply(record.getMessage())
            record.args = None
            if record.exc_info and not record.exc_text:
                record.exc_text = logging.Formatter().formatException(record.exc_info)
            if record.exc_text:
                record.exc_text = self.apply(record.exc_text)
        return True


secret_mask = SecretMask()
"""The mask of this process; every handler that `set_up_logging` makes goes through it."""


def set_up_logging(*, level: str, file: Path | None = None, quiet: bool = False) -> None:
    """Sends the log to stderr (unless `quiet`) and to `file`, which rolls over at 10 MiB and keeps five old ones."""
    handlers: list[logging.Handler] = [] if quiet else [logging.StreamHandler(sys.stderr)]
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(
            RotatingFileHandler(file, maxBytes=_LOG_FILE_BYTES, backupCount=_LOG_FILES_KEPT, encoding="utf-8")
        )
    formatter = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s  %(message)s")
    for handler in handlers:
        handler.setFormatter(formatter)
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
