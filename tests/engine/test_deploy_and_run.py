"""`procos deploy` and `procos run` on the real engine, as a person uses them."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.engine.conftest import Procos
from tests.engine.processes import one_task, write

pytestmark = pytest.mark.engine

WRITE = {"operation": '="write"', "path": '="notes/" + name', "content": "=text"}


def file_process(process_id: str, **options: object) -> str:
    return one_task(process_id, "tde.file", inputs=WRITE, outputs={"uri": "=uri"}, **options)  # type: ignore[arg-type]


def test_run_of_a_file_deploys_it_waits_and_prints_the_result(shared: Procos, tmp_path: Path) -> None:
    file = write(tmp_path, "run-file", file_process("run-file"))
    done = shared("run", file, "--var", "name=a.txt", "--var", "text=Grüße", "--wait")
    result = json.loads(done.stdout)
    assert Path(result["uri"].removeprefix("file://")).read_text(encoding="utf-8").strip() == "Grüße"
    assert result["correlationId"]


def test_follow_shows_each_step_by_its_name(shared: Procos, tmp_path: Path) -> None:
    file = write(tmp_path, "run-follow", file_process("run-follow"))
    done = shared("run", file, "--var", "name=b.txt", "--var", "text=x", "--follow")
    assert "active     Do the work" in done.stderr
    assert "completed  Do the work" in done.stderr
    assert done.stdout.strip().isdigit()


def test_variables_come_from_a_file_and_single_ones_win(shared: Procos, tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text(json.dumps({"name": "c.txt", "text": "from the file"}))
    file = write(tmp_path, "run-vars", file_process("run-vars"))
    done = shared("run", file, "--vars", f"@{tmp_path}/v.json", "--var", "text=from the option", "--wait")
    written = Path(json.loads(done.stdout)["uri"].removeprefix("file://")).read_text()
    assert written.strip() == "from the option"


def test_many_files_at_once(shared: Procos, tmp_path: Path) -> None:
    write(tmp_path, "many-a", file_process("many-a"))
    write(tmp_path, "many-b", file_process("many-b"))
    form = {"id": "many-form", "type": "default", "schemaVersion": 9, "components": []}
    (tmp_path / "many.form").write_text(json.dumps(form))
    (tmp_path / "many.dmn").write_text(DECISION)
    done = shared("deploy", tmp_path, "--json")
    ids = {resource["id"]: resource["kind"] for resource in json.loads(done.stdout)["resources"]}
    assert ids == {
        "many-a": "process",
        "many-b": "process",
        "many-form": "form",
        "many-decision": "decision",
        "many-graph": "decision requirements",
    }


def test_refused_file_is_named_with_element_and_reason_and_nothing_else_is_deployed(
    shared: Procos, tmp_path: Path
) -> None:
    good = write(tmp_path, "batch-good", file_process("batch-good"))
    bad = write(tmp_path, "batch-bad", file_process("batch-bad").replace('type="tde.file"', 'type=""'))
    done = shared("deploy", good, bad, check=False)
    assert done.returncode == 1
    assert "batch-bad.bpmn" in done.stderr
    assert "task" in done.stderr
    assert "Traceback" not in done.stderr
    missing = shared("run", "batch-good", check=False)
    assert missing.returncode == 1
    assert "batch-good" in missing.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<bpmn:definitions", ["line 1", "broken XML"]),
        ('<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY a "b">]>\n<x>&a;</x>', ["line 2", "DTD"]),
        ('<?xml version="1.0"?>\n<a>\n<b></a>', ["line 3", "broken XML"]),
    ],
)
def test_broken_xml_is_refused_with_its_line(shared: Procos, tmp_path: Path, content: str, words: list[str]) -> None:
    file = write(tmp_path, "broken", content)
    done = shared("deploy", file, check=False)
    assert done.returncode == 2
    for word in [str(file), *words]:
        assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_file_of_fifty_megabytes_is_refused_before_it_is_read(shared: Procos, tmp_path: Path) -> None:
    file = tmp_path / "huge.bpmn"
    with file.open("wb") as writer:
        writer.truncate(50 * 1024**2)
    done = shared("deploy", file, check=False)
    assert done.returncode == 2
    assert "50.0 MiB" in done.stderr


def test_unknown_process_is_named(shared: Procos) -> None:
    done = shared("run", "no-such-process", check=False)
    assert done.returncode == 1
    assert "no-such-process" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--vars", "{amount: 3}"], ["--vars", "JSON"]),
        (["--vars", "[1]"], ["--vars", "object"]),
        (["--vars", "@/nowhere.json"], ["/nowhere.json"]),
        (["--var", "amount"], ["NAME=VALUE"]),
    ],
)
def test_variables_that_are_not_json_are_named(shared: Procos, arguments: list[str], words: list[str]) -> None:
    done = shared("run", "any", *arguments, check=False)
    assert done.returncode == 2
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_input_is_an_incident_at_which_wait_ends(shared: Procos, tmp_path: Path) -> None:
    file = write(tmp_path, "run-missing", one_task("run-missing", "tde.file", inputs={"path": '="x"'}))
    done = shared("run", file, "--wait", check=False)
    assert done.returncode == 1
    assert "stopped at 'Do the work': incident" in done.stderr
    assert "input 'operation' is missing" in done.stderr


def test_wait_ends_at_its_time_limit_and_the_instance_goes_on(shared: Procos, tmp_path: Path) -> None:
    file = write(tmp_path, "run-long", one_task("run-long", "nobody.does.this"))
    done = shared("run", file, "--wait", "--timeout", "2", check=False)
    assert done.returncode == 1
    assert "has not ended within 2 s; it goes on" in done.stderr


def test_zbctl_works_against_the_embedded_engine(shared: Procos, tmp_path: Path, zbctl: Path) -> None:
    state = shared.state()
    assert state is not None

    def call(*arguments: str) -> str:
        command = [str(zbctl), "--insecure", "--address", state["address"], *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    assert "Leader, Healthy" in call("status")
    file = write(tmp_path, "by-zbctl", file_process("by-zbctl"))
    deployed = json.loads(call("deploy", str(file)))
    assert [process["bpmnProcessId"] for process in deployed["processes"]] == ["by-zbctl"]
    variables = json.dumps({"name": "zbctl.txt", "text": "hi"})
    answer = json.loads(call("create", "instance", "by-zbctl", "--variables", variables, "--withResult"))
    assert json.loads(answer["variables"])["uri"].endswith("notes/zbctl.txt")


DECISION = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="many-graph" name="Graph" namespace="tests">
  <decision id="many-decision" name="Decide">
    <decisionTable id="table">
      <input id="input"><inputExpression id="in" typeRef="number"><text>amount</text></inputExpression></input>
      <output id="output" name="class" typeRef="string"/>
      <rule id="rule">
        <inputEntry id="entry"><text>&gt; 1</text></inputEntry>
        <outputEntry id="exit"><text>"big"</text></outputEntry>
      </rule>
    </decisionTable>
  </decision>
</definitions>
"""
