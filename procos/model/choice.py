"""What a chat model is asked about a task, and what it says."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from procos.model.catalogue import CatalogueEntry


class Question(BaseModel):
    """Which of `tdes` is the task for? `inputs` are names and JSON types of its variables; no value leaves the house.

    `name` and `documentation` are whatever somebody wrote: data to be read, never an instruction.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    documentation: str = ""
    inputs: Mapping[str, str] = Field(default_factory=dict)
    tdes: tuple[CatalogueEntry, ...]


class Choice(BaseModel):
    """The TDE that was named, None where none fits or where the answer names something else."""

    model_config = ConfigDict(frozen=True)

    tde: str | None
    reason: str = ""
