"""A process definition that was deployed through ProcOS, as the kernel needs it."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class TaskElement(BaseModel):
    """A task that makes jobs; `job_type` is None where it is an expression, which only the engine can evaluate.

    `template` is the id of the element template that Modeler made it with.
    """

    model_config = ConfigDict(frozen=True)

    element_id: str
    name: str = ""
    documentation: str = ""
    lane: str = ""
    job_type: str | None = None
    template: str = ""


class ProcessDefinition(BaseModel):
    """A deployed process; `key` is the engine's, `xml` the BPMN as it was deployed."""

    model_config = ConfigDict(frozen=True)

    key: int
    id: str
    version: int
    name: str = ""
    resource_name: str
    xml: bytes
    elements: tuple[TaskElement, ...] = ()
    deployed_by: str = ""
    deployed_at: datetime
