"""What the kernel and the catalogue know of a TDE: its manifest."""

from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Mode = Literal["deterministic", "probabilistic"]


class TdeManifest(BaseModel):
    """A TDE described, without its code; `input_schema` and `output_schema` are JSON Schema (draft 2020-12).

    `attempts` is how often a job is tried, None where the process says it; `secrets` are names or patterns with `*`.
    `undo_job_type` is that of the jobs that undo what the TDE did, None where it has no undo.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    job_type: str
    description: str
    mode: Mode
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    time_limit: timedelta
    attempts: int | None = None
    secrets: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    undo_job_type: str | None = None
    distribution: str = ""
