"""What a task gives to the wait-for TDE, what it gets back, and the TDE's own settings."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from procos_workers.file_task import FileConfig, PathText
from procos_workers.http_config import HttpConfig
from procos_workers.http_request import HttpInput
from procos_workers.json_pointer import check_pointer

_CONDITIONS = ("http", "file", "tcp")
_OPERATORS = ("equals", "one_of", "at_least", "exists")
_SHORTEST_INTERVAL = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(days=366)

Duration = Annotated[timedelta, Field(ge=timedelta(0), le=_LONGEST_WAIT)]
Interval = Annotated[timedelta, Field(ge=_SHORTEST_INTERVAL, le=_LONGEST_WAIT)]


class WaitForConfig(BaseModel):
    """The table `[tde.wait-for]` of procos.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    http: HttpConfig = Field(
        default=HttpConfig(),
        description="How servers are asked, and which: as in `[tde.http]`. Its hosts and connect_limit_seconds count"
        " for `tcp` too.",
    )
    roots: list[Path] = Field(
        default=[],
        description="The folders whose files may be waited for, as absolute paths; relative paths of tasks are below"
        " the first. Without any, no file can be waited for.",
    )

    @field_validator("roots")
    @classmethod
    def _are_roots(cls, roots: list[Path]) -> list[Path]:
        return FileConfig(roots=roots).roots


class AnswerCondition(BaseModel):
    """What has to stand in the JSON that a server answers."""

    model_config = ConfigDict(extra="forbid")

    pointer: Annotated[str, AfterValidator(check_pointer)] = Field(
        description="Where to look, as a JSON pointer (RFC 6901): /status, /items/0/name."
    )
    equals: JsonValue = Field(default=None, description="The value that has to stand there.")
    one_of: list[JsonValue] | None = Field(
        default=None, min_length=1, description="Values of which one has to stand there."
    )
    at_least: float | None = Field(
        default=None, allow_inf_nan=False, description="A number that the one there has to reach."
    )
    exists: bool | None = Field(default=None, description="Whether there has to be something, or nothing.")

    @model_validator(mode="after")
    def _has_one_operator(self) -> Self:
        given = [name for name in _OPERATORS if getattr(self, name) is not None]
        if len(given) > 1 or (not given and "equals" not in self.model_fields_set):
            raise ValueError(f"give one of {', '.join(_OPERATORS)}")
        return self


class HttpCondition(HttpInput):
    """Holds when a server answers with an expected status, and what `answer` asks for."""

    method: Literal["GET", "HEAD"] = Field(default="GET", description="How to ask; a check changes nothing.")
    answer: AnswerCondition | None = Field(default=None, description="What has to stand in the JSON of the answer.")


class FileCondition(BaseModel):
    """Holds when a file or folder is there, or no longer there."""

    model_config = ConfigDict(extra="forbid")

    path: PathText = Field(
        description="The file or folder: relative to the first of tde.wait-for.roots, or absolute inside one."
    )
    gone: bool = Field(default=False, description="Whether to wait until it is no longer there.")
    unchanged_for: Duration = Field(
        default=timedelta(0),
        description="How long the file's size and time of change have to stay the same, counted from the first check"
        " that sees them: for files that somebody else is writing. Seconds, or PT30S.",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.gone and self.unchanged_for:
            raise ValueError("a file that is gone cannot be unchanged: give 'gone' or 'unchanged_for'")
        return self


class TcpCondition(BaseModel):
    """Holds when something accepts connections."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field(min_length=1, description="The host's name or address.")
    port: int = Field(gt=0, le=65535, description="The port.")

    @model_validator(mode="after")
    def _is_an_address(self) -> Self:
        try:
            found = self.url.host
        except (httpx.InvalidURL, TypeError):
            found = ""
        if not found or any(sign in self.host for sign in "/@?# "):
            raise ValueError(f"{self.host[:80]!r} is not a host: write its name or address, without scheme and port")
        return self

    @property
    def url(self) -> httpx.URL:
        """The address as a URL, for the rules about hosts."""
        return httpx.URL(scheme="tcp", host=self.host, port=self.port)


class WaitForInput(BaseModel):
    """A condition to wait for, and how long."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    http: HttpCondition | None = Field(default=None, repr=False, description="Wait for what a server answers.")
    file: FileCondition | None = Field(default=None, description="Wait for a file or folder.")
    tcp: TcpCondition | None = Field(default=None, description="Wait until a port accepts connections.")
    interval: Interval = Field(
        default=timedelta(seconds=30), description="How long to wait after a check: seconds, or PT30S. At least 1 s."
    )
    backoff_factor: float = Field(
        default=1, ge=1, le=10, description="How many times as long to wait after each further check."
    )
    longest_interval: Interval = Field(
        default=timedelta(hours=1), description="How long the wait between two checks may become."
    )
    timeout: Duration = Field(
        default=timedelta(hours=1),
        description="When to give up, with the BPMN error WAIT_TIMEOUT: seconds, or PT2H. With 0: one check.",
    )

    @model_validator(mode="after")
    def _has_one_condition(self) -> Self:
        if sum(getattr(self, name) is not None for name in _CONDITIONS) != 1:
            raise ValueError(f"give what to wait for: one of {', '.join(_CONDITIONS)}")
        return self

    def wait_after(self, checks: int) -> timedelta:
        """The time until the next check after so many of them."""
        longer = self.interval.total_seconds() * self.backoff_factor ** min(checks - 1, 64)
        return timedelta(seconds=min(longer, max(self.longest_interval, self.interval).total_seconds()))


class WaitForOutput(BaseModel):
    """What was found when the condition held."""

    model_config = ConfigDict(extra="forbid")

    waited_seconds: float = Field(ge=0, description="From the first check to the one that found it, in seconds.")
    checks: int = Field(ge=1, description="How many checks it took.")
    finding: str = Field(description="What the last check found, in words.")
    value: JsonValue = Field(default=None, description="What stands at the pointer of `http.answer`, if one was given.")
