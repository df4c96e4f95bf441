"""What a server answered: read up to a limit, judged by its status, and made into a process's variables."""

import base64
import codecs
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from procos.sdk import GiveUp
from procos_workers.http_failure import HttpFailed
from procos_workers.repetition import TryAgain

_EXCERPT_CHARACTERS = 500
_LONGEST_RETRY_AFTER = timedelta(days=1)
_REFUSED_FOR_NOW = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_WORTH_ANOTHER_TRY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_TEXT_TYPES = {"application/xml", "application/javascript", "application/x-www-form-urlencoded", "application/yaml"}


class HttpOutput(BaseModel):
    """The server's answer."""

    model_config = ConfigDict(extra="forbid")

    status: int = Field(description="The status code.")
    headers: dict[str, str] = Field(description="The answer's headers; names in lower case, repeated ones joined by ,")
    body: JsonValue = Field(
        description="The body: parsed where it is JSON, text where it is text, base64 otherwise, null where it is empty"
    )
    body_is_base64: bool = Field(default=False, description="Whether `body` holds bytes in base64.")
    url: str = Field(
        description="The URL that answered, after redirects; without user name, password and query, which may be secret"
    )
    elapsed_ms: int = Field(ge=0, description="From sending the request to the last byte of the answer, in ms.")


def is_expected(response: httpx.Response, expected_status: Iterable[int] | None) -> bool:
    """Whether the status counts as success."""
    return response.is_success if expected_status is None else response.status_code in expected_status


async def read(response: httpx.Response, *, limit: int, where: str) -> bytes:
    """Reads the body, unpacked, and stops at the limit.

    Raises:
        GiveUp: the body is larger than `limit` bytes.
    """
    announced = response.headers.get("content-length", "")
    taken = bytearray()
    if response.request.method != "HEAD" and announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit, where)
    async for chunk in response.aiter_bytes():
        taken += chunk
        if len(taken) > limit:
            raise _too_large(limit, where)
    return bytes(taken)


def _too_large(limit: int, where: str) -> GiveUp:
    return GiveUp(
        f"{where}: the answer is larger than {limit} bytes; ask for less of it (a page, a filter), or raise"
        " tde.http.max_response_bytes (the engine takes less than 4 MiB)"
    )


def decode(response: httpx.Response, content: bytes, *, where: str) -> tuple[JsonValue, bool]:
    """The body as a variable, and whether it is base64.

    Raises:
        GiveUp: the server calls the body JSON, but it is not.
    """
    if not content:
        return None, False
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in {"application/json", "text/json"} or media_type.endswith("+json"):
        return _parse(content, where), False
    text = _as_text(response, media_type, content)
    return (base64.b64encode(content).decode("ascii"), True) if text is None else (text, False)


def _parse(content: bytes, where: str) -> JsonValue:
    try:
        parsed: JsonValue = json.loads(content, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        reason = f"{error.msg} in line {error.lineno}, column {error.colno}"
    except UnicodeDecodeError:
        reason = "not UTF-8"
    except (ValueError, RecursionError):
        reason = "a number or a nesting that JSON does not allow"
    else:
        return parsed
    raise GiveUp(f"{where}: the server calls the body JSON, but it is not ({reason}); the server has to mend it")


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _as_text(response: httpx.Response, media_type: str, content: bytes) -> str | None:
    named = response.charset_encoding
    textual = media_type.startswith("text/") or media_type in _TEXT_TYPES or media_type.endswith("+xml")
    if media_type and not textual and named is None:
        return None
    try:
        return content.decode(_known(named) or "utf-8")
    except UnicodeDecodeError:
        return None


def _known(encoding: str | None) -> str | None:
    try:
        return codecs.lookup(encoding).name if encoding else None
    except LookupError:
        return None


async def judge(response: httpx.Response, *, where: str, masked: Iterable[str]) -> Exception:
    """The error for an answer that is no success; its text is quoted in part, without the `masked` words.

    429 and 503 are `TryAgain`; 408, 425 and other 5xx are left to the runtime's retries; anything else gives up.
    """
    status = response.status_code
    message = f"{where}: the server answered {status}{_phrase(status)}{_hint(response)}"
    message += await _excerpt(response, masked)
    if status in _REFUSED_FOR_NOW:
        wait = retry_after(response.headers.get("retry-after"), now=datetime.now(UTC))
        return TryAgain(HttpFailed(message), retry_after=wait)
    if status in _WORTH_ANOTHER_TRY or response.is_server_error:
        return HttpFailed(message)
    return GiveUp(message)


def _phrase(status: int) -> str:
    return f" {HTTPStatus(status).phrase}" if status in HTTPStatus._value2member_map_ else ""


def _hint(response: httpx.Response) -> str:
    if response.is_success:
        return " (not among expected_status)"
    if response.has_redirect_location:
        return " (a redirect, and following them is switched off in the task or by tde.http.follow_redirects)"
    if response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return " (check the credentials that the task sends)"
    return ""


async def _excerpt(response: httpx.Response, masked: Iterable[str]) -> str:
    content = bytearray()
    enough = 4 * _EXCERPT_CHARACTERS  # UTF-8 has at most four bytes in a character
    async for chunk in response.aiter_bytes():
        content += chunk[: enough - len(content)]
        if len(content) >= enough:
            break
    text = bytes(content).decode(_known(response.charset_encoding) or "utf-8", errors="replace")
    for word in sorted(masked, key=len, reverse=True):
        text = text.replace(word, "***")
    readable = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:_EXCERPT_CHARACTERS]
    return f": {readable}" if readable else ""


def retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """The wait that a Retry-After header asks for, in seconds or until a date; at most a day, None if it says nothing.

    Source: RFC 9110, 10.2.3.
    """
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), _LONGEST_RETRY_AFTER.total_seconds()))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(moment - now, timedelta(0)), _LONGEST_RETRY_AFTER)
