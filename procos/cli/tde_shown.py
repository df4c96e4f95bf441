"""A TDE as tables in the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from procos.authoring.schema_words import Field, default_of, fields_of
from procos.authoring.tde_process import process_id
from procos.cli.output import print_table

if TYPE_CHECKING:
    from procos.kernel.plugins import RegisteredTde


def print_tde(found: "RegisteredTde") -> None:
    """Prints what a TDE is, takes and gives, and which settings it has."""
    tde = found.tde
    facts = [
        ("does", tde.description),
        ("job type", tde.job_type),
        ("process", process_id(tde.name)),
        ("mode", tde.mode),
        ("package", found.distribution or "not installed"),
        ("time limit", f"{tde.time_limit.total_seconds():g} s"),
        ("attempts", str(tde.retry.attempts or "as the task's retries say")),
        ("secrets", ", ".join(tde.secrets) or "none"),
        *(("right for", example) for example in tde.examples),
    ]
    print_table(["TDE", tde.name], facts)
    _print_fields("input", fields_of(tde.input_model.model_json_schema()), with_defaults=True)
    if tde.output_model is not None:
        schema = tde.output_model.model_json_schema(mode="serialization")
        _print_fields("output", fields_of(schema), with_defaults=False)
    _print_fields("setting", fields_of(tde.config_model.model_json_schema()), with_defaults=True)


def _print_fields(title: str, fields: Sequence[Field], *, with_defaults: bool) -> None:
    if not fields:
        return
    typer.echo()
    rows = [(field.name, _about(field, with_default=with_defaults)) for field in fields]
    print_table([title, ""], rows)


def _about(field: Field, *, with_default: bool) -> str:
    """What it takes in the first line, what it means below: in a narrow terminal a third column has no room."""
    default = default_of(field.default)
    presence = "required" if field.required else f"default {default}" if default else ""
    kind = "; ".join(filter(None, [field.kind, presence if with_default else ""]))
    return "\n".join(filter(None, [kind, field.description]))
