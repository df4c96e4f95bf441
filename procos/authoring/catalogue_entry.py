"""The router's catalogue entry of a TDE, from its manifest."""

import hashlib
from typing import Any

from procos.authoring.schema_words import fields_of
from procos.authoring.tde_process import process_id
from procos.model.catalogue import CatalogueEntry, CatalogueInput
from procos.model.tde import TdeManifest


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
