"""What the router reads of a TDE: what it is for and what it needs, in plain text."""

import hashlib
from typing import Any

from pydantic import BaseModel, ConfigDict

from procos.authoring.schema_words import fields_of
from procos.authoring.tde_process import process_id
from procos.model.tde import Mode, TdeManifest


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


def catalogue_entry(manifest: TdeManifest) -> CatalogueEntry:
    """The entry for a TDE."""
    inputs = [
        CatalogueInput(name=field.name, kind=field.kind, required=field.required, description=field.description)
        for field in fields_of(manifest.input_schema)
    ]
    facts: dict[str, Any] = {
        "name": manifest.name,
        "description": manifest.description,
        "examples": manifest.examples,
        "inputs": tuple(inputs),
        "outputs": tuple(field.name for field in fields_of(manifest.output_schema)),
        "mode": manifest.mode,
        "job_type": manifest.job_type,
        "process_id": process_id(manifest.name),
    }
    unhashed = CatalogueEntry(**facts, hash="")
    digest = hashlib.sha256(unhashed.model_dump_json().encode()).hexdigest()
    return unhashed.model_copy(update={"hash": digest})
