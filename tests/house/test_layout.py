"""The house keeps its shape: what lies at the top, how large a room may grow, what no file may hold."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP = {
    ".ci", ".gitignore", "LICENSE", "Makefile", "README.md", "bpmn", "deploy", "docs", "examples", "procos",
    "pyproject.toml", "tests", "workers",
}  # fmt: skip
NAMES_OF_NOTHING = {"utils", "helpers", "common", "base", "manager", "types"}
LONGEST_ROOM = 350


def committed() -> list[Path]:
    """Every file that git knows or would take."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


FILES = committed()
MODULES = [file for file in FILES if file.suffix == ".py" and file.relative_to(ROOT).parts[0] in {"procos", "workers"}]


def test_the_top_level_is_as_tidy_as_it_was() -> None:
    found = {file.relative_to(ROOT).parts[0] for file in FILES}
    assert found == TOP, "put new files below one of the folders that are there, or say in TOP why the top grows"


@pytest.mark.parametrize("module", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_is_one_room(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert module.stem not in NAMES_OF_NOTHING, "name the module after what it does"
    assert len(text.splitlines()) <= LONGEST_ROOM, "split it: one purpose, one file"
    assert text.startswith('"""'), "say the room's purpose in its first line"


def test_no_module_makes_annotations_into_text() -> None:
    wrong = [str(file) for file in MODULES if "from __future__ import annotations" in file.read_text(encoding="utf-8")]
    assert not wrong, "pydantic and pyzeebe read annotations as objects: remove the import"


def test_no_committed_file_holds_the_address_of_a_registry() -> None:
    # Put together here, so that this file does not hold them either.
    hosts = ["pypi" + ".org", "pythonhosted" + ".org", "repo1" + ".maven", "repo.maven" + ".apache", "npmjs" + ".org",
             "proxy.golang" + ".org", "maven.apache" + ".org/maven2"]  # fmt: skip
    pattern = re.compile("|".join(re.escape(host) for host in hosts))
    wrong = [
        str(file.relative_to(ROOT))
        for file in FILES
        if file.suffix not in {".png", ".ico"} and pattern.search(file.read_text(encoding="utf-8", errors="ignore"))
    ]
    assert not wrong, "lock versions and hashes, not addresses"


def test_every_locked_dependency_has_its_hash() -> None:
    for name in ("demo.txt", "test.txt"):
        lines = (ROOT / ".ci" / "constraints" / name).read_text().replace("\\\n", " ").splitlines()
        for line in filter(None, lines):
            assert re.match(r"[a-z0-9._-]+==\S+.*--hash=sha256:[0-9a-f]{64}", line), f"{name}: {line[:60]}"


def test_ci_runs_what_make_test_runs() -> None:
    assert re.search(r"^exec make test$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
