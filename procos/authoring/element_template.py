"""A TDE as an element template: Camunda Modeler shows a task of it as a form with a field for each input."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from procos.authoring import feel
from procos.authoring.schema_words import Field, fields_of
from procos.authoring.task_headers import ERROR_CODE, RETRY_ATTEMPTS, RETRY_BACKOFF, USUAL_ATTEMPTS
from procos.authoring.template_controls import control_for
from procos.model.tde import TdeManifest

SCHEMA: Final = "https://unpkg.com/@camunda/zeebe-element-templates-json-schema/resources/schema.json"
"""The name by which Camunda Modeler knows a template for Camunda 8; nothing is fetched from there."""

_ENGINES: Final = {"camunda": "^8.5"}
_GROUPS: Final = {"input": "Input", "output": "Output", "errors": "Errors and retries"}
_VARIABLE: Final = r"^([a-zA-Z_][a-zA-Z0-9_]*(\.[a-zA-Z_][a-zA-Z0-9_]*)*)?$"
_ACRONYMS: Final = frozenset({"api", "csv", "grpc", "html", "http", "https", "id", "ip", "json", "pdf", "sql", "uri",
                              "url", "xml"})  # fmt: skip
_ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="18" height="18" viewBox="0 0 18 18">'
    '<rect x="5" y="3" width="8" height="12" rx="2" fill="#1f6f8b"/>'
    '<path d="M0 9h4M14 9h3M15 7l2 2-2 2" fill="none" stroke="#1f6f8b" stroke-width="1.5"/></svg>'
)

Property = dict[str, Any]


def template_id(name: str) -> str:
    """The id of the element template of the TDE `name`."""
    return f"procos.tde.{name}"


def element_template(manifest: TdeManifest, *, version: int = 1) -> dict[str, Any]:
    """The template, to be written as JSON; Modeler offers an upgrade where `version` is higher than that of a task.

    An input whose name no input mapping can carry has no field: it must be a process variable.
    """
    properties = [*_task(manifest), *_inputs(manifest), *_outputs(manifest), *_headers(manifest)]
    used = {it.get("group") for it in properties}
    return {
        "$schema": SCHEMA,
        "id": template_id(manifest.name),
        "name": f"{label_of(manifest.name)} (TDE)",
        "version": version,
        "description": f"{manifest.description}.",
        "keywords": [manifest.name, manifest.job_type, *manifest.examples],
        "category": {"id": "procos", "name": "ProcOS"},
        "engines": _ENGINES,
        "icon": {"contents": f"data:image/svg+xml,{quote(_ICON)}"},
        "appliesTo": ["bpmn:Task"],
        "elementType": {"value": "bpmn:ServiceTask"},
        "groups": [{"id": group, "label": label} for group, label in _GROUPS.items() if group in used],
        "properties": properties,
    }


def label_of(name: str) -> str:
    """A name as words: `time_limit_seconds`, `timeLimitSeconds` and `time-limit-seconds` are Time limit seconds."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", " ", name).replace("_", " ").replace("-", " ").split()
    plain = [word.upper() if word.lower() in _ACRONYMS else word.lower() for word in words]
    return " ".join([plain[0][0].upper() + plain[0][1:], *plain[1:]]) if plain else name


def _task(manifest: TdeManifest) -> Iterator[Property]:
    yield {
        "type": "Hidden",
        "value": manifest.job_type,
        "binding": {"type": "zeebe:taskDefinition", "property": "type"},
    }
    retries = {
        "value": str(manifest.attempts or USUAL_ATTEMPTS),
        "binding": {"type": "zeebe:taskDefinition", "property": "retries"},
    }
    if manifest.attempts is not None:
        # The TDE decides it, and reads the task's header below instead.
        yield {"type": "Hidden", **retries}
        return
    yield {
        "id": "retries",
        "label": "Retries",
        "description": "How often the job is tried.",
        "group": "errors",
        "type": "String",
        "feel": "optional",
        "constraints": {"notEmpty": True},
        **retries,
    }


def _inputs(manifest: TdeManifest) -> Iterator[Property]:
    schema = manifest.input_schema
    for field in fields_of(schema):
        if feel.is_mappable(field.name):
            yield {
                "id": f"input-{field.name}",
                "label": _title(field),
                **_told(field),
                "group": "input",
                **control_for(field, schema),
                "binding": {"type": "zeebe:input", "name": field.name},
            }


def _outputs(manifest: TdeManifest) -> Iterator[Property]:
    for field in fields_of(manifest.output_schema):
        about = f"{field.description.rstrip('.')}. " if field.description else ""
        yield {
            "id": f"output-{field.name}",
            "label": f"Variable for: {_title(field)}",
            "description": f"{about}Where no variable is named here, each output becomes a variable of its own name.",
            "group": "output",
            "type": "String",
            "optional": True,
            "constraints": {"notEmpty": False, "pattern": {"value": _VARIABLE, "message": "Not a variable's name."}},
            "binding": {"type": "zeebe:output", "source": f"={feel.name(field.name)}"},
        }


def _headers(manifest: TdeManifest) -> Iterator[Property]:
    attempts = f"How often the job is tried; {manifest.attempts} times unless said here."
    told = {RETRY_ATTEMPTS: ("Attempts", attempts)} if manifest.attempts is not None else {}
    told |= {
        ERROR_CODE: ("Error code", "The BPMN error that a job throws, instead of an incident, when it fails for good."),
        RETRY_BACKOFF: ("Retry backoff", "The wait between two attempts, in ISO 8601: PT30S."),
    }
    for key, (label, description) in told.items():
        yield {
            "id": key,
            "label": label,
            "description": description,
            "group": "errors",
            "type": "String",
            "optional": True,
            "binding": {"type": "zeebe:taskHeader", "key": key},
        }


def _title(field: Field) -> str:
    """The title that the author gave; pydantic's own one only repeats the name."""
    given = str(field.schema.get("title", ""))
    repeats = re.sub(r"\W|_", "", given).casefold() == re.sub(r"\W|_", "", field.name).casefold()
    return given if given and not repeats else label_of(field.name)


def _told(field: Field) -> Mapping[str, str]:
    default = "" if field.required or field.default in (None, "", [], {}) else f"Default: {_shown(field.default)}."
    text = " ".join(filter(None, [field.description, default]))
    return {"description": text} if text else {}


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
