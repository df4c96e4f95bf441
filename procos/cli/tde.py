"""`procos tde …`: what TDEs there are, what is generated from them, and one of them run without an engine."""

import contextlib
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from procos.cli import options
from procos.cli.output import print_json, print_table, say, settings_of
from procos.cli.run import read_variables
from procos.errors import ProcosError, UsageError

if TYPE_CHECKING:
    from procos.kernel.plugins import RegisteredTde
    from procos.model.job import Outcome

app = typer.Typer(help="TDEs: list, show, write element templates, run one without an engine.", no_args_is_help=True)

Name = Annotated[
    str,
    typer.Argument(
        help="A TDE's name; or module:attribute, or a .py file, of one that is not installed.", metavar="NAME"
    ),
]


@app.command("list")
def list_(as_json: options.Json = False) -> None:
    """List the TDEs that are installed, and those that cannot be used with the reason."""
    from dataclasses import asdict

    from procos.kernel.plugins import discover

    found = discover()
    manifests = [it.tde.manifest(distribution=it.distribution) for it in found.tdes]
    if as_json:
        kept = {"name", "job_type", "mode", "description", "distribution"}
        tdes = [it.model_dump(mode="json", include=kept) for it in manifests]
        print_json({"tdes": tdes, "broken": [asdict(it) for it in found.broken]})
        return
    rows = [(it.name, it.job_type, it.mode, it.distribution, it.description) for it in manifests]
    print_table(["TDE", "job type", "mode", "package", "does"], rows)
    if found.broken:
        typer.echo()
        print_table(
            ["cannot be used", "package", "reason"], [(it.name, it.distribution, it.reason) for it in found.broken]
        )


@app.command()
def show(
    name: Name,
    page: Annotated[bool, typer.Option("--page", help="Print its page of documentation in Markdown.")] = False,
    bpmn: Annotated[bool, typer.Option("--bpmn", help="Print its process as BPMN.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of printing.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show a TDE: what it takes and gives, its limits, secrets and settings; or its page, or its process."""
    if page + bpmn + as_json > 1:
        raise UsageError("--page, --bpmn and --json are three ways to show a TDE", hint="choose one of them")
    if output is not None and not (page or bpmn or as_json):
        raise UsageError("-o writes what --page, --bpmn or --json give", hint="add one of them")
    from procos.cli.tde_shown import print_tde
    from procos.wiring.tdes import find_tde

    found = find_tde(name)
    if not (page or bpmn or as_json):
        print_tde(found)
    else:
        _put(_text_of(found, page=page, bpmn=bpmn), output)


@app.command()
def template(
    names: Annotated[list[str] | None, typer.Argument(help="TDEs, as for show.", metavar="[NAME]...")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Of every TDE that is installed.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE|FOLDER", help="A .json file for all, or a folder for one file each."
        ),
    ] = None,
) -> None:
    """Write element templates for Camunda Modeler: one as an object, several as a list."""
    from procos.authoring.element_template import element_template
    from procos.kernel.plugins import discover
    from procos.wiring.tdes import find_tde, version_number

    if bool(names) == all_:
        raise UsageError("name the TDEs, or give --all", hint="`procos tde list` shows them")
    found = [find_tde(name) for name in names or ()] or list(discover().tdes)
    templates = {
        it.tde.name: element_template(it.tde.manifest(), version=version_number(it.distribution)) for it in found
    }
    if output is None or output.suffix == ".json":
        several = list(templates.values())
        _put(_json(several[0] if len(several) == 1 and not all_ else several), output)
        return
    for name, it in templates.items():
        _put(_json(it), output / f"{name}.json")


@app.command()
def run(
    name: Name,
    var: Annotated[
        list[str] | None,
        typer.Option("--var", metavar="NAME=VALUE", help="An input; the value is JSON, or else text. Repeatable."),
    ] = None,
    variables: Annotated[
        str | None, typer.Option("--vars", metavar="JSON|@FILE", help="A JSON object, or a file with one.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="NAME=TEXT", help="A header of the task. Repeatable.")
    ] = None,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show where in its code it failed.")] = False,
    home: options.Home = None,
) -> None:
    """Run a TDE in this process, without an engine, and print its output as JSON; exit code 1 when its job fails."""
    from procos.wiring.tdes import find_tde, run_alone

    given = read_variables(var or [], variables)
    headers = _read_headers(header or [])
    settings = settings_of(home=home).values
    if not traceback:
        # The failure itself is said below; a worker's warning would say it twice.
        logging.getLogger("procos.runtime").setLevel(logging.ERROR)
    # What the author's code prints is for a person; stdout is for the output alone.
    with contextlib.redirect_stdout(sys.stderr):
        outcome = run_alone(find_tde(name).tde, settings, variables=given, headers=headers)
    print_json(_variables_of(outcome))


def _variables_of(outcome: "Outcome") -> Any:  # noqa: ANN401 - any JSON value
    """The output.

    Raises:
        ProcosError: the job failed, or threw a BPMN error; says what a worker would tell the engine.
    """
    from procos.model.job import Completed, ErrorThrown

    if isinstance(outcome, Completed):
        return dict(outcome.variables)
    if isinstance(outcome, ErrorThrown):
        variables = f" with {json.dumps(dict(outcome.variables), ensure_ascii=False)}" if outcome.variables else ""
        message = f": {outcome.message}" if outcome.message else ""
        raise ProcosError(f"BPMN error {outcome.code}{message}", hint=f"a process can catch it{variables}")
    if outcome.retries == 0:
        raise ProcosError(outcome.message, hint="in a process: an incident at once, nothing is tried again")
    wait = outcome.backoff.total_seconds()
    raise ProcosError(
        outcome.message, hint=f"in a process: tried again after {wait:.3g} s, while retries remain ({outcome.retries})"
    )


def _read_headers(pairs: list[str]) -> dict[str, str]:
    headers = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--header {pair}: give NAME=TEXT")
        headers[name] = value
    return headers


def _text_of(found: "RegisteredTde", *, page: bool, bpmn: bool) -> str:
    from procos.authoring import page as pages
    from procos.authoring.catalogue_entry import catalogue_entry
    from procos.authoring.tde_process import tde_process

    manifest = found.tde.manifest(distribution=found.distribution)
    if page:
        return pages.page(found.tde)
    if bpmn:
        return tde_process(manifest)
    entry = catalogue_entry(manifest)
    return _json({"manifest": manifest.model_dump(mode="json"), "catalogueEntry": entry.model_dump(mode="json")})


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _put(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror or error}") from None
    say(f"wrote {output}")
