"""What Camunda Modeler itself checks templates and processes with: npm packages, run by node.

template_problems(template)     # what @bpmn-io/element-templates-validator says, [] where all is well
process_problems(bpmn)          # what bpmn-moddle cannot read, and what bpmnlint's recommended rules say

The packages are pinned in node/package-lock.json and installed once, by `npm ci`, into the user's cache. Without
node and npm the tests fail and say so.
"""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import filelock

from procos.settings import load

_HERE = Path(__file__).parent / "node"
_INSTALL_TIMEOUT_S = 240
_RUN_TIMEOUT_S = 60


def template_problems(template: dict[str, Any] | list[dict[str, Any]]) -> list[str]:
    """The problems of an element template, or of a list of them."""
    results = _run("validate-template.cjs", json.dumps(template))
    return [problem for result in results for problem in result["errors"] or ([] if result["valid"] else ["not valid"])]


def process_problems(bpmn: str) -> list[str]:
    """The problems of a BPMN file."""
    problems: list[str] = _run("check-process.cjs", bpmn)
    return problems


def installed() -> Path:
    """The folder with node_modules; installed first where it is not there yet."""
    lock = (_HERE / "package-lock.json").read_bytes()
    cache = load({}).values.cache / "test-node-tools"
    folder = cache / hashlib.sha256(lock + _program("node").encode()).hexdigest()[:16]
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(cache / "install.lock"):
        if not folder.is_dir():
            _install(folder)
    return folder


def _install(folder: Path) -> None:
    """Beside its place first: what is there is whole."""
    fresh = folder.with_suffix(".fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_HERE / name, fresh)
    command = [_program("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, check=False)
    assert done.returncode == 0, f"npm ci failed in {fresh}:\n{done.stdout}\n{done.stderr}"
    os.replace(fresh, folder)  # noqa: PTH105 - says what is meant: in one step


def _run(script: str, given: str) -> Any:
    command = [_program("node"), str(_HERE / script), str(installed())]
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, encoding="utf-8", timeout=_RUN_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, f"{script} failed:\n{done.stderr}"
    return json.loads(done.stdout)


def _program(name: str) -> str:
    path = shutil.which(name)
    assert path is not None, f"these tests need {name}: install Node.js 18 or newer, which brings node and npm"
    return path
