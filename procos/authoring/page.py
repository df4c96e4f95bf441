"""A page of documentation for a TDE, in Markdown: what it takes and gives, its settings, limits and secrets."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final, Literal

from pydantic import BaseModel

from procos.authoring.schema_words import Schema, default_of, kind_of
from procos.authoring.tde_process import FAILED, TIMEOUT, process_id
from procos.sdk.context import NoConfig
from procos.sdk.registration import Tde

_CODE: Final = "`"


def page(tde: Tde[..., Any]) -> str:
    """The whole page of one TDE, with how to use it in a process."""
    return "\n\n".join([f"# {tde.name}", *parts(tde, level=2), *_use(tde)]) + "\n"


def parts(tde: Tde[..., Any], *, level: int) -> Iterator[str]:
    """What there is to say of a TDE, for below a heading of its name; its own headings are of `level`."""
    yield f"{tde.description.rstrip('.')}."
    yield _limits(tde)
    if tde.secrets:
        yield f"Secrets that it may use: {', '.join(f'`{it}`' for it in tde.secrets)}."
    if tde.examples:
        yield "Right for tasks such as:"
        yield "\n".join(f"- {example}" for example in tde.examples)
    mark = "#" * level
    yield from _model(f"{mark} Input", tde.input_model, "validation")
    if tde.output_model is not None:
        yield from _model(f"{mark} Output", tde.output_model, "serialization")
    if tde.config_model is not NoConfig:
        yield from _model(f"{mark} Settings `[tde.{tde.name}]`", tde.config_model, "validation")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _limits(tde: Tde[..., Any]) -> str:
    facts = [
        f"Job type `{tde.job_type}`",
        tde.mode,
        f"time limit {_seconds(tde.time_limit)}",
        f"first wait after a failure about {_seconds(tde.retry.first_backoff)}",
    ]
    if tde.retry.attempts is not None:
        facts.append(f"tried {tde.retry.attempts} times" if tde.retry.attempts > 1 else "tried once")
    if tde.cpu_bound:
        facts.append("runs in a process of its own")
    return ", ".join(facts) + "."


def _seconds(value: timedelta) -> str:
    return f"{value.total_seconds():g} s"


def _model(heading: str, model: type[BaseModel], mode: Literal["validation", "serialization"]) -> Iterator[str]:
    schema = model.model_json_schema(mode=mode)
    yield heading
    yield _fields(schema, schema, is_output=mode == "serialization")
    for name, inner in schema.get("$defs", {}).items():
        if inner.get("properties"):
            yield f"`{name}`: {inner.get('description', '')}".rstrip(": ")
            yield _fields(inner, schema, is_output=mode == "serialization")


def _fields(schema: Schema, root: Schema, *, is_output: bool) -> str:
    rows = []
    for name, field in schema.get("properties", {}).items():
        row = [f"`{name}`", kind_of(field, root, code=_CODE)]
        if not is_output:
            row.append(
                "required" if name in schema.get("required", ()) else default_of(field.get("default"), code=_CODE)
            )
        rows.append([*row, field.get("description", "")])
    more = "Any further ones." if schema.get("additionalProperties") else "" if rows else "None."
    head = ("name", "type", "meaning") if is_output else ("name", "type", "default", "meaning")
    return "\n\n".join(filter(None, [table(head, rows) if rows else "", more]))


def _use(tde: Tde[..., Any]) -> Iterator[str]:
    process = process_id(tde.name)
    yield "## In a process"
    yield (
        f"A service task with the job type `{tde.job_type}` runs it. For Camunda Modeler, `procos tde template"
        f" {tde.name} -o {tde.name}.json` writes an element template: put the file into Modeler's folder"
        " `resources/element-templates`, and choose the template for a task. Its fields are the inputs above."
    )
    yield (
        f"A call activity runs it as a process of its own, `{process}`, which draws what happens when it fails."
        f" `procos tde show {tde.name} --bpmn -o {process}.bpmn` writes it, `procos deploy` deploys it. The caller can"
        f" catch the errors `{FAILED}` and `{TIMEOUT}`."
    )
    yield "To try it without an engine:"
    required = tde.input_model.model_json_schema().get("required", [])
    given = "".join(f" --var {name}=…" for name in required)
    yield f"```bash\nprocos tde run {tde.name}{given}\n```"
