"""The mask over secrets: whatever a job has used is hidden wherever it turns up in a log line."""

import json
import logging
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "***"
_SHORTEST_SECRET = 4


def spellings(secret: str) -> set[str]:
    """The ways in which a secret turns up in text: as it is, and escaped by Python, by JSON and in URLs."""
    return {
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        # `surrogateescape`: an environment variable need not be UTF-8.
        quote(secret, safe="", errors="surrogateescape"),
        quote(secret, safe="!$&'()*+,;=:@/?", errors="surrogateescape"),
        quote_plus(secret, errors="surrogateescape"),
    }


def any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Matches any of `texts`, the longest first, so that one inside another leaves nothing behind."""
    return re.compile("|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True)) or r"(?!)")


class SecretMask(logging.Filter):
    """Masks every secret that was resolved in this process, wherever it turns up in a log line."""

    def __init__(self) -> None:
        super().__init__()
        self._secrets: set[str] = set()
        self._any_secret = any_of(())

    def add(self, secret: str) -> None:
        """Masks `secret` from now on; very short ones would mask half of the text and are left alone."""
        if len(secret) >= _SHORTEST_SECRET:
            self._secrets |= spellings(secret)
            self._any_secret = any_of(self._secrets)

    def apply(self, text: str) -> str:
        """`text` without the secrets."""
        return self._any_secret.sub(MASK, text)

    def filter(self, record: logging.LogRecord) -> bool:
        """Masks the record's message, arguments and traceback."""
        if self._secrets:
            record.msg = self.apply(_message_of(record))
            record.args = None
            if record.exc_info and not record.exc_text:
                record.exc_text = logging.Formatter().formatException(record.exc_info)
            if record.exc_text:
                record.exc_text = self.apply(record.exc_text)
        return True


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - a wrong log call must not break its caller, nor print its arguments bare
        return f"{record.msg} {record.args!r} (the log call is wrong: {error})"


secret_mask = SecretMask()
"""The mask of this process; every handler that `set_up_logging` makes goes through it."""
