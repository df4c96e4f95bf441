"""Writes docs/reference/ from the code: commands, settings, TDEs, errors. Run it with `make docs`."""

import inspect
import sys
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import typer

from procos import errors
from procos.authoring import page
from procos.authoring.page import table
from procos.authoring.schema_words import kind_of
from procos.cli.app import app
from procos.kernel.plugins import discover
from procos.settings import ECOSYSTEM_NAMES, FILE_NAME, PREFIX, SECRET_PREFIX, Settings

FOLDER: Final = Path(__file__).parent / "reference"
MARK: Final = "<!-- Written by docs/generate.py from the code. Change the code, then run `make docs`. -->"
DEFAULTS_OF_THIS_MACHINE: Final = {
    "home": "the folder `procos` in the user's data folder",
    "cache": "the folder `procos` in the user's cache folder",
}


def pages() -> dict[str, str]:
    """Every page of the reference by its file name."""
    return {
        "README.md": _contents(),
        "cli.md": _page("Commands", _commands()),
        "settings.md": _page("Settings", _settings()),
        "tdes.md": _page("TDEs", _tdes()),
        "errors.md": _page("Errors", _errors()),
    }


def main() -> None:
    """Writes the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {FOLDER / name}\n")


def _contents() -> str:
    rows = [
        ("[Commands](cli.md)", "every command of `procos` with its options and exit codes"),
        ("[Settings](settings.md)", "every setting: type, default, variables, meaning"),
        ("[TDEs](tdes.md)", "the TDEs that come with ProcOS: input, output, settings"),
        ("[Errors](errors.md)", "what ProcOS raises on purpose, with exit codes"),
    ]
    told = "`docs/generate.py` writes these pages from the code; a test checks that they are current."
    return _page("Reference", [told, table(("page", "holds"), rows)])


def _page(title: str, parts: Iterable[str]) -> str:
    return "\n\n".join([MARK, f"# {title}", *parts]) + "\n"


def _commands() -> Iterator[str]:
    yield (
        "Data goes to stdout, messages go to stderr. Every command that prints a table has `--json`."
        " `procos COMMAND --help` shows the same as this page."
    )
    exit_codes = [
        ("0", "done"),
        ("1", "failed"),
        ("2", "wrong use: a command, a file, a variable or a setting"),
        ("3", "no engine answers, or no kernel runs"),
        ("130", "ended by Ctrl-C; a kernel that has booted drains and ends with 0 instead"),
    ]
    yield table(("exit code", "means"), exit_codes)
    yield from _command(typer.main.get_command(app), "procos", None)


def _command(command: Any, name: str, parent: Any) -> Iterator[str]:  # noqa: ANN401 - typer's commands have no public type
    info_name = name.rpartition(" ")[2]
    context = command.context_class(command, info_name=info_name, parent=parent, **command.context_settings)
    yield f"## `{name}`"
    yield command.help
    yield "```text\n" + " ".join([name, *command.collect_usage_pieces(context)]) + "\n```"
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    rows = [(f"`{left}`", text) for left, text in filter(None, records)]
    yield table(("argument or option", "meaning"), rows)
    for inner, subcommand in getattr(command, "commands", {}).items():
        yield from _command(subcommand, f"{name} {inner}", context)


def _settings() -> Iterator[str]:
    yield (
        "A setting comes from the command line, else from a variable of the environment, else from the file"
        f" `{FILE_NAME}` in the folder where the command runs (`{PREFIX}CONFIG` names another file), else it has its"
        " default. `procos config` shows every value with its source. An unknown name is an error."
    )
    yield (
        "Durations are seconds (`90`) or ISO 8601 (`PT90S`). Where several variables are named, the first one that is"
        " set counts; those without the prefix are the ones that Zeebe's and Camunda's own tools read."
    )
    schema = Settings.model_json_schema()
    rows = []
    for name, info in Settings.model_fields.items():
        variables = (f"{PREFIX}{name}".upper(), *ECOSYSTEM_NAMES.get(name, ()))
        kind = kind_of(schema["properties"][name], schema, code="`")
        default = DEFAULTS_OF_THIS_MACHINE.get(name) or _setting_default(info.get_default(call_default_factory=True))
        rows.append((f"`{name}`", kind, default, " ".join(f"`{it}`" for it in variables), info.description or ""))
    yield table(("setting", "type", "default", "variables", "meaning"), rows)
    yield (
        "A single value of a TDE's table can be set by a variable too: `PROCOS_TDE__FILE__MAX_BYTES=2000000` is"
        " `max_bytes` of `[tde.file]`. Lists and tables are written as JSON."
    )
    yield f"Variables that begin with `{SECRET_PREFIX}` are [secrets](../how-to/keep-secrets.md), not settings."


def _setting_default(value: object) -> str:
    if isinstance(value, timedelta):
        return f"`{value.total_seconds():g}` s"
    return "" if value is None or value == {} else f"`{value}`"


def _tdes() -> Iterator[str]:
    yield (
        "A service task runs a TDE when its job type is the TDE's. Inputs are process variables, or input mappings of"
        " the task. Outputs become process variables unless the task has output mappings. Settings are the TDE's table"
        f" in `{FILE_NAME}`."
    )
    # Other packages may be installed next to ProcOS; their TDEs are theirs to document.
    ours = [found.tde for found in discover().tdes if found.distribution == "procos"]
    yield table(("TDE", "does"), [(f"[{tde.name}](#{tde.name})", tde.description) for tde in ours])
    for tde in ours:
        yield f"## {tde.name}"
        yield from page.parts(tde, level=3)


def _errors() -> Iterator[str]:
    yield (
        "A `ProcosError` is for a person: `message` says what is wrong and where, `hint` says what to do. The command"
        " line prints both and ends with the exit code. A `TaskOutcome` is what a TDE raises to say how its job ends;"
        " it has no exit code."
    )
    yield table(("error", "exit code", "raised when"), _error_rows(errors.ProcosError, 0))
    yield table(("outcome", "means"), [(row[0], row[2]) for row in _error_rows(errors.TaskOutcome, 0)])


def _error_rows(error: type[Exception], depth: int) -> Iterator[tuple[str, str, str]]:
    said = (inspect.getdoc(error) or "").partition("\n")[0]
    yield "&nbsp;" * 4 * depth + f"`{error.__name__}`", str(getattr(error, "exit_code", "")), said
    for inner in error.__subclasses__():
        if inner.__module__ == errors.__name__:
            yield from _error_rows(inner, depth + 1)


if __name__ == "__main__":
    main()
