"""A process instance, and the result of one that was waited for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessInstance:
    """A started process instance."""

    key: int
    process_definition_id: str
    process_definition_key: int
    process_definition_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessResult:
    """A process instance that has ended, with the variables of its outermost scope."""

    instance: ProcessInstance
    variables: Mapping[str, Any]
