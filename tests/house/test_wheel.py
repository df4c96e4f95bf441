"""What users get: the wheel, its contents, and that it works where no checkout is."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TDES = {
    "email": "send_email:email",
    "file": "file:file",
    "grpc": "grpc_call:grpc_call",
    "http": "http:http",
    "notify": "notify:notify",
    "python": "python:python",
    "shell": "shell:shell",
    "sql": "sql:sql",
    "wait-for": "wait_for:wait_for",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_holds_kernel_bpmn_examples_workers_and_the_engine_logging(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "procos/bpmn/kernel/bootstrap.bpmn",
        "procos/bpmn/rules/routing-rules.dmn",
        "procos/examples/licence_audit/licence-audit.bpmn",
        "procos/examples/licence_audit/policy.toml",
        "procos/adapters/embedded/log4j2.xml",
        "procos/adapters/state/migrations/__init__.py",
        "procos/py.typed",
        "procos_workers/py.typed",
        "procos_workers/http.py",
    } <= names
    assert not [name for name in names if name.startswith(("tests", "docs"))]


def test_registers_the_command_and_the_bundled_tdes(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
    text = archive.read(name).decode()
    assert "procos = procos.cli:main" in text
    for tde, place in TDES.items():
        assert f"{tde} = procos_workers.{place}" in text


def test_works_installed_without_a_checkout(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run(command, check=True, capture_output=True)
    script = (
        "import procos, procos.resources as r, procos.kernel.plugins as p\n"
        f"assert procos.__file__.startswith({str(site)!r}), procos.__file__\n"
        "print([f.name for f in r.kernel_bpmn()], (r.example('licence_audit') / 'licence-audit.bpmn').is_file())\n"
        "print(sorted({t.tde.name for t in p.discover().tdes}), p.discover().broken)\n"
    )
    # The path of this run's packages comes after the wheel's folder, so that only ProcOS itself is the wheel's.
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(site)!r})\n{script}"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "['bootstrap.bpmn', 'pdo.bpmn', 'task-run.bpmn', 'watchdog.bpmn'] True",
        f"{sorted(TDES)} ()",
    ]
