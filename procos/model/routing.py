"""Which TDE a task is for, and why."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

RULES_ID: Final = "procos-routing-rules"
"""The DMN decision that the router asks."""

Stage = Literal["task", "rules", "retrieval", "model", "person"]
"""Who answered: the task itself, a DMN rule, the search over the catalogue, a chat model, or a person."""


class Candidate(BaseModel):
    """A TDE that may be meant; `confidence` (0 to 1) is how often answers like this one are right."""

    model_config = ConfigDict(frozen=True)

    tde: str
    confidence: float = Field(ge=0, le=1)
    reason: str = ""


class RoutingDecision(BaseModel):
    """What the router made of a task; `tde` is None where no stage was sure enough: then a person is asked.

    `stage` is the one that answered, or the last that was asked; `reasons` are in the order of the stages. `inputs` are
    the TDE's inputs, filled from the task's variables by the input schema; `missing` names required ones that were not
    found there. `is_cached` where the same task had been routed before with the same catalogue and rules.
    """

    model_config = ConfigDict(frozen=True)

    tde: str | None
    process_id: str | None = None
    stage: Stage
    confidence: float = Field(ge=0, le=1)
    reasons: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    inputs: Mapping[str, Any] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()
    is_cached: bool = False


class RoutingExample(BaseModel):
    """A task in words and the TDE that a person chose for it; stage "retrieval" learns from it."""

    model_config = ConfigDict(frozen=True)

    text: str
    tde: str
    chosen_by: str = ""
    chosen_at: datetime


class KeptDecision(BaseModel):
    """A decision as the state database keeps it: one row for each task routed, or tried again."""

    model_config = ConfigDict(frozen=True)

    correlation_id: str
    job_key: int
    content_hash: str
    """Of everything that the decision depends on; the same hash means the same answer."""
    decision: RoutingDecision
    decided_at: datetime
