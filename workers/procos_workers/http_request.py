"""What a task gives to the http TDE, checked before anything is sent."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Annotated, Any, Self

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_A_HEADER = re.compile(r"[^\t\x20-\x7e]")
_SET_BY_THE_CLIENT = {"content-length", "transfer-encoding", "connection"}
_BODIES = ("json_body", "form_body", "multipart_body", "text_body", "base64_body")
_SAFE_METHODS = {"GET", "HEAD"}
_SHORTEST_CREDENTIAL = 6

Plain = str | int | float | bool


def _check_url(value: str) -> str:
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL:
        raise ValueError(
            "this is not a URL (white space, a line break or a broken host name?): write https://host/path"
        ) from None
    if url.scheme not in {"http", "https"}:
        raise ValueError(f"the scheme {url.scheme!r} is not one that the http TDE speaks: use http:// or https://")
    if not url.host:
        raise ValueError("the URL names no host: write https://host/path")
    return value


def _check_headers(headers: dict[str, str]) -> dict[str, str]:
    checked = {}
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name[:80]!r} is not the name of a header: use letters, digits and hyphens")
        if name.lower() in _SET_BY_THE_CLIENT:
            raise ValueError(f"the header {name} is set from the body: leave it out")
        checked[name] = _check_header_value(value, name)
    return checked


def _check_header_value(value: str, name: str) -> str:
    if _NOT_IN_A_HEADER.search(value):
        raise ValueError(f"the value of the header {name} has a line break or a character that is not ASCII")
    return value.strip(" \t")


def _check_content_type(value: str) -> str:
    return _check_header_value(value, "Content-Type")


def _check_base64(value: str) -> str:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("this is not base64 (standard alphabet, with padding, without line breaks)") from None
    return value


Base64Text = Annotated[str, AfterValidator(_check_base64)]


class Part(BaseModel):
    """One part of a multipart body: a field, or a file when it has a filename."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1, description="The name of the form's field.")
    text: str | None = Field(default=None, repr=False, description="The part's content as text.")
    base64: Base64Text | None = Field(default=None, repr=False, description="The part's content as bytes in base64.")
    filename: str | None = Field(default=None, description="The name under which the server sees the part as a file.")
    content_type: Annotated[str, AfterValidator(_check_content_type)] | None = Field(
        default=None, description="The part's media type; without it, guessed from the filename."
    )

    @model_validator(mode="after")
    def _has_one_content(self) -> Self:
        if (self.text is None) == (self.base64 is None):
            raise ValueError("give the part's content either as 'text' or as 'base64'")
        return self

    def as_file(self) -> tuple[str, tuple[str | None, bytes, str | None]]:
        """The part as httpx takes it."""
        content = (self.text or "").encode() if self.base64 is None else base64.b64decode(self.base64)
        return self.name, (self.filename, content, self.content_type)


class HttpInput(BaseModel):
    """A request to send.

    The names are chosen so that no output of an earlier http task (`status`, `headers`, `body`) is taken for an input.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_check_url)] = Field(
        repr=False, description="Where to: an http or https URL; it may hold a user name and password."
    )
    method: Annotated[str, StringConstraints(pattern=rf"^{_TOKEN.pattern}$", to_upper=True)] = Field(
        default="GET", description="The HTTP method; any one."
    )
    query_parameters: dict[str, Plain | list[Plain]] | None = Field(
        default=None,
        repr=False,
        description="Query parameters; a list gives one parameter several times. One that the URL has too is replaced.",
    )
    request_headers: Annotated[dict[str, str], AfterValidator(_check_headers)] | None = Field(
        default=None, repr=False, description="Headers to send."
    )
    json_body: JsonValue = Field(default=None, repr=False, description="A body sent as JSON. null means no body.")
    form_body: dict[str, Plain | list[Plain]] | None = Field(
        default=None, repr=False, description="A body sent as a URL-encoded form; a list gives one field several times."
    )
    multipart_body: list[Part] | None = Field(
        default=None, min_length=1, repr=False, description="A body sent as multipart/form-data, with files if need be."
    )
    text_body: str | None = Field(default=None, repr=False, description="A body sent as plain text in UTF-8.")
    base64_body: Base64Text | None = Field(
        default=None, repr=False, description="A body of bytes, given in base64 and sent unpacked."
    )
    expected_status: list[Annotated[int, Field(ge=200, le=599)]] | None = Field(
        default=None,
        min_length=1,
        description="The status codes that count as success. Without it: 200 to 299.",
        examples=[[200, 404]],
    )
    follow_redirects: bool = Field(
        default=True, description="Whether redirects are followed; where the settings forbid it, they never are."
    )
    time_limit_seconds: float | None = Field(
        default=None,
        gt=0,
        description="A shorter limit for one request than tde.http.time_limit_seconds of the settings.",
    )

    @model_validator(mode="after")
    def _has_at_most_one_body(self) -> Self:
        given = [name for name in _BODIES if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"a request has one body: give one of {' and '.join(given)}")
        return self

    def prepare(self, client: httpx.AsyncClient, *, idempotency_key: str) -> httpx.Request:
        """Builds the request, with the Idempotency-Key that servers need to tell a repetition from a second order."""
        headers = httpx.Headers(self.request_headers)
        if self.method not in _SAFE_METHODS:
            headers.setdefault("Idempotency-Key", idempotency_key)
        url = httpx.URL(self.url)
        if self.query_parameters:
            url = url.copy_merge_params(self.query_parameters)
        return client.build_request(self.method, url, **self._body(headers), headers=headers)

    def _body(self, headers: httpx.Headers) -> dict[str, Any]:
        if self.text_body is not None:
            headers.setdefault("Content-Type", "text/plain; charset=utf-8")
            return {"content": self.text_body.encode()}
        if self.base64_body is not None:
            headers.setdefault("Content-Type", "application/octet-stream")
            return {"content": base64.b64decode(self.base64_body)}
        if self.multipart_body is not None:
            return {"files": [part.as_file() for part in self.multipart_body]}
        if self.form_body is not None:
            return {"data": self.form_body}
        return {"json": self.json_body} if self.json_body is not None else {}

    def credentials(self) -> Iterator[str]:
        """What was sent to prove who asks, so that it can be masked should a server echo it."""
        values = [word for value in (self.request_headers or {}).values() for word in (value, *value.split())]
        for value in (*values, httpx.URL(self.url).password):
            if len(value) >= _SHORTEST_CREDENTIAL:
                yield value
