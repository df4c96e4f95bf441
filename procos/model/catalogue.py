"""What the router reads of a TDE: what it is for and what it needs, in plain text."""

from pydantic import BaseModel, ConfigDict

from procos.model.tde import Mode


class CatalogueInput(BaseModel):
    """One input of a TDE; `kind` says in words what it takes."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    required: bool
    description: str


class CatalogueEntry(BaseModel):
    """A TDE as the router sees it; `hash` changes with everything else in it, so that what was computed can be kept."""

    model_config = ConfigDict(frozen=True)

    name: str
    description: str
    examples: tuple[str, ...]
    inputs: tuple[CatalogueInput, ...]
    outputs: tuple[str, ...]
    mode: Mode
    job_type: str
    process_id: str
    hash: str
