"""A job as the engine hands it out, and the three ways in which it ends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One activated job; `deadline` (UTC) is when its lease is over and the engine may give it to somebody else."""

    key: int
    type: str
    process_instance_key: int
    process_definition_id: str
    process_definition_key: int
    process_definition_version: int
    element_id: str
    element_instance_key: int
    retries: int
    deadline: datetime
    variables: Mapping[str, Any]
    custom_headers: Mapping[str, str] = field(default_factory=dict)
    tenant_id: str = ""
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Completed:
    """The work is done; `variables` go back to the process."""

    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """The work failed; with `retries` 0 the engine raises an incident that shows `message`."""

    message: str
    retries: int
    backoff: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class ErrorThrown:
    """The work ends in a BPMN error."""

    code: str
    message: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)


Outcome = Completed | Failed | ErrorThrown
