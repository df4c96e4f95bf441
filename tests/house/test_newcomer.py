"""A newcomer's first command, in a fresh clone with an empty home directory and nothing but Python, git and make."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


def test_make_demo_in_a_fresh_clone(tmp_path: Path) -> None:
    clone, home = tmp_path / "clone", tmp_path / "home"
    home.mkdir()
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(clone)], check=True, capture_output=True)
    _bring_what_is_not_committed_yet(clone)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PROCOS_", "ZEEBE_", "CAMUNDA_", "JAVA", "PYTHON", "VIRTUAL_ENV", "XDG_", "MAKE"))
    }
    environment["HOME"] = str(home)
    done = subprocess.run(
        ["make", "demo", f"PYTHON={Path(sys.executable).resolve()}"],
        cwd=clone, env=environment, capture_output=True, text=True, timeout=800, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ("engine ready", "List installed packages", "Post the report", "stopped", "verdict:"):
        assert words in done.stdout + done.stderr
    report = home / ".local/share/procos/demo/reports/licence-audit"
    assert sorted(file.suffix for file in report.iterdir() if file.is_file()) == [".json", ".md"]
    assert "pyzeebe" in next(report.glob("*.md")).read_text(encoding="utf-8")


def _bring_what_is_not_committed_yet(clone: Path) -> None:
    """The test is about this working tree; in CI nothing differs."""
    patch = subprocess.run(["git", "diff", "--binary", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
    if patch:
        subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], cwd=clone, input=patch, check=True)
