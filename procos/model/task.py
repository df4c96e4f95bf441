"""A task that nobody claimed, tagged with where it comes from."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

TDE_HEADER: Final = "tde"
"""The task header that names the TDE of a task."""


class Task(BaseModel):
    """An active job and what its process says about it: the tag by which it is routed, and goes back to its parent.

    `name`, `documentation` and `lane` are the element's in the diagram, empty where it has none or where the definition
    was not deployed through ProcOS; `inputs` are the variables that the job sees; `headers` its task headers.
    """

    model_config = ConfigDict(frozen=True)

    job_key: int
    job_type: str
    correlation_id: str
    process_instance_key: int
    process_definition_id: str
    process_definition_key: int
    process_definition_version: int
    element_id: str
    element_instance_key: int
    name: str = ""
    documentation: str = ""
    lane: str = ""
    headers: Mapping[str, str] = Field(default_factory=dict)
    inputs: Mapping[str, Any] = Field(default_factory=dict)
    retries: int = 1
    tenant_id: str = ""
