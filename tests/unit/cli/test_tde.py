"""`procos tde …`, as a person runs it: in a process of its own, on whatever is installed and on a file of theirs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.node_tools import process_problems, template_problems

# Behind the same door as every command, also where the group is not among them yet.
_PROGRAM = """
import sys
from procos.cli import main, tde
from procos.cli.app import app

sys.argv[0] = "procos"
if "tde" not in {group.name for group in app.registered_groups}:
    app.add_typer(tde.app, name="tde")
main()
"""

FILE = """
from pydantic import BaseModel
from procos.sdk import BpmnError, tde

class Person(BaseModel):
    name: str

class Greeting(BaseModel):
    text: str

@tde("greet", description="Greets a person by name", secrets=["GREET_*"], examples=["Say hello to Ada"])
def greet(person: Person) -> Greeting:
    if person.name == "nobody":
        raise BpmnError("NOBODY", "nobody is there", variables={"who": "nobody"})
    print("a line for the author")
    return Greeting(text={"Ada": "Hello Ada ü"}[person.name])
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "greetings.py"
    path.write_text(FILE, encoding="utf-8")
    return path


def tde(*arguments: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PROCOS_")}
    environment = {**kept, "PROCOS_HOME": str(cwd / "home"), "COLUMNS": "80", **variables}
    command = [sys.executable, "-c", _PROGRAM, "tde", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False, encoding="utf-8"
    )


def done(*arguments: object, cwd: Path) -> str:
    result = tde(*arguments, cwd=cwd)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_list_shows_the_bundled_ones(tmp_path: Path) -> None:
    text = done("list", cwd=tmp_path)
    assert "tde.http" in text
    assert max(map(len, text.splitlines())) <= 80
    listed = json.loads(done("list", "--json", cwd=tmp_path))
    assert {"file", "http", "python", "shell"} <= {it["name"] for it in listed["tdes"]}


def test_list_shows_broken_packages_with_the_reason(tmp_path: Path) -> None:
    package = tmp_path / "site" / "badly-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: badly\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[procos.tdes]\nbad = not_there_at_all:bad\n")
    where = str(tmp_path / "site")
    text = tde("list", cwd=tmp_path, PYTHONPATH=where).stdout
    assert "cannot be used" in text
    assert "ModuleNotFoundError" in text
    broken = json.loads(tde("list", "--json", cwd=tmp_path, PYTHONPATH=where).stdout)["broken"]
    assert [it["name"] for it in broken] == ["bad"]
    shown = tde("show", "bad", cwd=tmp_path, PYTHONPATH=where)
    assert shown.returncode == 1
    assert "not_there_at_all" in shown.stderr


def test_show_fits_a_terminal_of_80_columns(tmp_path: Path) -> None:
    text = done("show", "python", cwd=tmp_path)
    assert "function_name" in text
    assert "list of text; default none" in text
    assert max(map(len, text.splitlines())) <= 80


def test_show_as_json_has_manifest_and_catalogue_entry(tmp_path: Path, file: Path) -> None:
    shown = json.loads(done("show", file, "--json", cwd=tmp_path))
    assert shown["manifest"]["job_type"] == "tde.greet"
    assert shown["catalogueEntry"]["examples"] == ["Say hello to Ada"]


def test_show_writes_the_page_and_the_process(tmp_path: Path, file: Path) -> None:
    assert done("show", file, "--page", cwd=tmp_path).startswith("# greet\n")
    result = tde("show", file, "--bpmn", "-o", "new/tde-greet.bpmn", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "")
    assert "wrote new/tde-greet.bpmn" in result.stderr
    assert process_problems((tmp_path / "new" / "tde-greet.bpmn").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "http", "--page", "--bpmn"), "choose one of them"),
        (("show", "http", "-o", "x"), "add one of them"),
        (("run", "htpt"), "did you mean 'http'?"),
        (("template",), "`procos tde list` shows them"),
        (("template", "http", "-o", "/dev/null/x.json"), "cannot be written"),
        (("run", "http", "--header", "novalue"), "give NAME=TEXT"),
        (("run", "http", "--var", "novalue"), "give NAME=VALUE"),
        (("run", "nothere.py"), "there is no file nothere.py"),
    ],
)
def test_wrong_use_ends_with_2_and_a_message(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    result = tde(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_template_of_one_is_an_object_and_of_several_a_list(tmp_path: Path, file: Path) -> None:
    one = json.loads(done("template", file, cwd=tmp_path))
    several = json.loads(done("template", "http", "file", cwd=tmp_path))
    assert one["id"] == "procos.tde.greet"
    assert [it["id"] for it in several] == ["procos.tde.http", "procos.tde.file"]
    assert template_problems([one, *several]) == []


def test_all_templates_go_into_a_folder_or_into_one_file(tmp_path: Path) -> None:
    done("template", "--all", "-o", "templates", cwd=tmp_path)
    done("template", "--all", "-o", "all.json", cwd=tmp_path)
    written = {it.stem: json.loads(it.read_text()) for it in (tmp_path / "templates").iterdir()}
    together = json.loads((tmp_path / "all.json").read_text())
    assert {"file", "http", "python", "shell"} <= set(written)
    assert sorted(it["id"] for it in together) == sorted(it["id"] for it in written.values())


def test_run_prints_the_output_as_json(tmp_path: Path, file: Path) -> None:
    result = tde("run", file, "--var", "name=Ada", cwd=tmp_path)
    assert result.returncode == 0
    assert json.loads(result.stdout) == {"text": "Hello Ada ü"}
    assert result.stderr == "a line for the author\n"


def test_run_takes_variables_from_a_file(tmp_path: Path, file: Path) -> None:
    (tmp_path / "given.json").write_text('{"name": "Ada"}')
    assert "Hello Ada" in done("run", "greetings:greet", "--vars", "@given.json", cwd=tmp_path)


def test_run_of_a_bundled_one(tmp_path: Path) -> None:
    command = json.dumps([sys.executable, "-c", "print('from a program')"])
    output = json.loads(done("run", "shell", "--var", f"command={command}", cwd=tmp_path))
    assert output["stdout"] == "from a program\n"


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("name=nobody", "BPMN error NOBODY: nobody is there", 'a process can catch it with {"who": "nobody"}'),
        ("name=Bob", "KeyError: 'Bob'", "tried again after"),
        ("other=1", "input 'name' is missing, expected string", "an incident at once"),
        ("name=3", "input 'name' is wrong, expected string", "an incident at once"),
    ],
)
def test_a_job_that_fails_ends_with_1_and_says_what_a_process_would_see(
    tmp_path: Path, file: Path, name: str, message: str, hint: str
) -> None:
    result = tde("run", file, "--var", name, cwd=tmp_path)
    assert result.returncode == 1
    assert f"error: {message}" in result.stderr
    assert hint in result.stderr
    assert "Traceback" not in result.stderr


def test_the_authors_own_traceback_is_there_when_it_is_asked_for(tmp_path: Path, file: Path) -> None:
    result = tde("run", file, "--var", "name=Bob", "--traceback", cwd=tmp_path)
    assert result.returncode == 1
    assert "greetings.py" in result.stderr
    assert "KeyError" in result.stderr


def test_wrong_settings_end_with_2(tmp_path: Path) -> None:
    result = tde("run", "shell", "--var", 'command=["ls"]', cwd=tmp_path, PROCOS_TDE__SHELL__OUTPUT_BYTES="many")
    assert result.returncode == 2
    assert "[tde.shell]" in result.stderr
