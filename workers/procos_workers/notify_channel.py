"""One channel of the notify TDE: the only door to apprise.

Apprise loads more than a hundred services when it is first used, which takes the better part of a second. It is
imported there, not before.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from procos.sdk import GiveUp
from procos_workers.notify_task import NotifyInput

if TYPE_CHECKING:
    from apprise import NotifyBase
    from apprise.result import NotifyResult

_SHORTEST_SECRET = 4
_LONGEST_WORDS = 300
_STATUS = re.compile(r"\berror=(?P<status>\d{3})\b")
_WORTH_ANOTHER_TRY = {408, 425, 429}
_CLIENT_ERRORS = range(400, 500)
_CERTIFICATE = "certificate verify failed"
# What requests and urllib3 say of a connection; their whole text holds the URL, and so the channel's token.
_CONNECTION_WORDS = (
    (_CERTIFICATE, "the service's certificate is not trusted"),
    ("Connection refused", "the service refused the connection"),
    ("Failed to resolve", "the service's host name cannot be resolved"),
    ("Name or service not known", "the service's host name cannot be resolved"),
    ("timed out", "the service did not answer in time"),
    ("SSL", "no TLS connection to the service"),
)


@dataclass(frozen=True)
class Failure:
    """Why a channel failed, and whether a person has to mend something before it can work."""

    reason: str
    is_final: bool = False


class Channel:
    """A channel made ready to notify."""

    def __init__(self, name: str, service: "NotifyBase", url: str) -> None:
        self.name = name
        self._service = service
        self._secrets = tuple(_secret_parts(url, service.url(privacy=True)))  # type: ignore[no-untyped-call]

    def notify(self, task: NotifyInput, *, limit_seconds: float) -> Failure | None:
        """Sends the notification; None when the service took it."""
        from apprise import Apprise, URLBase  # noqa: PLC0415 - see the top of the module

        if self._service.socket_read_timeout == URLBase.socket_read_timeout:  # four seconds, unless the URL says more
            self._service.socket_read_timeout = limit_seconds + 1
        sender = Apprise(asset=self._service.asset)
        sender.add(self._service)
        result = sender.notify(
            task.message,
            title=task.title,
            notify_type=task.severity,
            body_format=task.format,
            timeout=limit_seconds,
            log_level=logging.DEBUG,
        )
        with result:
            return None if result else self._failure(result.results, limit_seconds)

    def _failure(self, results: "Iterable[NotifyResult]", limit_seconds: float) -> Failure:
        from apprise.result import AppriseResultStatus  # noqa: PLC0415

        logs = [(entry.level, entry.message) for result in results for entry in result.logs()]
        if any(result.status == AppriseResultStatus.TIMEOUT for result in results):
            return Failure(f"no answer within {limit_seconds:g} s (tde.notify.answer_limit_seconds)")
        said = [message for level, message in logs if level in {"WARNING", "ERROR", "CRITICAL"}]
        details = [message for level, message in logs if level == "DEBUG"]
        cause = _cause(details)
        words = [*said, *([cause] if cause else _server_words(details))]
        reason = _readable("; ".join(words)) or "apprise gives no reason"
        return Failure(mask(reason, self._secrets), is_final=_is_final(said, details))


def open_channel(name: str, url: str, *, secret_name: str) -> Channel:
    """The channel behind a URL as apprise writes it.

    Raises:
        GiveUp: apprise is not installed, or cannot use the URL; the message does not show it.
    """
    try:
        from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - see the top of the module
    except ModuleNotFoundError:
        raise GiveUp("notifications need apprise: install procos[notify] where the worker runs") from None
    _keep_secrets_out_of_logs()
    asset = AppriseAsset(app_id="ProcOS", app_desc="ProcOS", app_url="", async_mode=False, allow_templates=False)
    hint = f"correct the secret {secret_name}; apprise's documentation shows the URL of each service"
    try:
        service = Apprise.instantiate(url, asset=asset, suppress_exceptions=False)
    except Exception as error:  # noqa: BLE001 - each of its services raises what it likes
        reason = mask(_readable(str(error)), _secret_parts(url, ""))
        raise GiveUp(f"channel '{name}': apprise cannot use its URL ({reason}); {hint}") from None
    if service is None:
        raise GiveUp(f"channel '{name}': its URL is not one that apprise can use; {hint}")
    return Channel(name, service, url)


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced by ***."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _secret_parts(url: str, shown: str) -> Iterator[str]:
    """The pieces of a URL but for its scheme, and its host where apprise itself shows it: some hold a token there."""
    host = urlsplit(shown).hostname
    for part in re.split(r"[/:@?&=#,]", url.partition("://")[2]):
        for spelling in {part, unquote(part)}:
            if len(spelling) >= _SHORTEST_SECRET and spelling.lower() != host:
                yield spelling


def _cause(details: Iterable[str]) -> str | None:
    exceptions = [detail for detail in details if detail.startswith("Socket Exception")]
    return next((plain for words, plain in _CONNECTION_WORDS for text in exceptions if words in text), None)


def _server_words(details: Iterable[str]) -> list[str]:
    answers = [detail.partition("\n")[2] for detail in details if detail.startswith("Response Details")]
    return [
        f"the service says: {answer.removeprefix('b')[:_LONGEST_WORDS]}"
        for answer in answers
        if len(answer) > len("b''")
    ]


def _is_final(said: Iterable[str], details: Iterable[str]) -> bool:
    statuses = [int(found["status"]) for message in said for found in _STATUS.finditer(message)]
    is_refused = any(status in _CLIENT_ERRORS and status not in _WORTH_ANOTHER_TRY for status in statuses)
    return is_refused or any(_CERTIFICATE in detail for detail in details)


def _readable(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[: 2 * _LONGEST_WORDS]


def _keep_secrets_out_of_logs() -> None:
    """Keeps apprise's records, which name parts of URLs, from every log; the reasons in them come with the result."""
    records = logging.getLogger("apprise")
    records.propagate = False
    records.setLevel(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
