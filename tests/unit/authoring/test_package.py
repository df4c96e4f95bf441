"""`procos tde new`: the package is complete and works at once; a name that cannot be used leaves nothing behind."""

import os
import site
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from procos.authoring.package import new_package
from procos.authoring.package_files import write_package
from procos.errors import UsageError
from procos.kernel.resource_files import read_resources

NS = {
    "bpmn": "http://www.omg.org/spec/BPMN/20100524/MODEL",
    "bpmndi": "http://www.omg.org/spec/BPMN/20100524/DI",
    "zeebe": "http://camunda.org/schema/zeebe/1.0",
}


def refusal(name: str, folder: Path, **options) -> str:
    before = sorted(folder.rglob("*")) if folder.is_dir() else []
    with pytest.raises(UsageError) as caught:
        new_package(name, folder, **options)
    assert (sorted(folder.rglob("*")) if folder.is_dir() else []) == before
    return f"{caught.value.message} ({caught.value.hint})"


def run(*command, folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> str:
    """The Python of a virtual environment that has all that ours has, and that may be installed into."""
    folder = tmp_path_factory.mktemp("environment")
    venv.EnvBuilder(symlinks=True).create(folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    ours = [path for path in site.getsitepackages() if Path(path).is_dir()]
    (packages / "shared.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in ours))
    return str(folder / "bin" / "python")


@pytest.mark.parametrize(("name", "is_async"), [("send-invoice", False), ("count-sheep2", True)])
def test_it_installs_passes_its_tests_and_is_found_by_the_kernel(tmp_path, python, name, is_async):
    package = new_package(name, tmp_path, is_async=is_async)
    install = ("pip", "install", "-q", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "-e", ".")
    run(python, "-m", *install, folder=package)
    assert "3 passed" in run(python, "-m", "pytest", "-q", "-W", "error", folder=package)
    found = run(
        python,
        "-c",
        "from procos.kernel.plugins import discover\n"
        f"(one,) = [found for found in discover().tdes if found.tde.name == {name!r}]\n"
        "print(one.distribution, one.tde.job_type, one.tde.is_async, discover().broken)",
        folder=tmp_path,
    )
    assert found.split() == [name, f"tde.{name}", str(is_async), "()"]


def test_the_code_is_tidy(tmp_path):
    packages = [new_package("send-invoice", tmp_path), new_package("count-sheep", tmp_path, is_async=True)]
    ruff = (sys.executable, "-m", "ruff")
    for package in packages:
        run(*ruff, "check", "--isolated", "--no-cache", "--target-version", "py311", ".", folder=package)
        run(*ruff, "format", "--check", "--isolated", "--no-cache", ".", folder=package)
    files = [str(file) for package in packages for file in package.rglob("*.py")]
    run(sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, *files, folder=tmp_path)


def test_it_has_what_a_package_needs_and_nothing_else(tmp_path):
    package = new_package("send-invoice", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["send-invoice"]
    files = sorted(str(path.relative_to(package)) for path in package.rglob("*") if path.is_file())
    assert files == [
        ".gitignore", "README.md", "pyproject.toml", "send-invoice.bpmn", "send_invoice.py",
        "tests/test_send_invoice.py",
    ]  # fmt: skip
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["procos.tdes"] == {"send-invoice": "send_invoice:send_invoice"}
    assert not [path for path in package.rglob("*") if path.is_file() and "$module" in path.read_text()]


def test_the_readme_names_three_commands(tmp_path):
    readme = (new_package("send-invoice", tmp_path) / "README.md").read_text()
    commands = [line for line in readme.splitlines() if line.startswith("$ ")]
    assert len(commands) == 3
    assert "procos run send-invoice.bpmn --var name=Ada --wait" in commands[2]


@pytest.mark.parametrize("name", ["send-invoice", "task-1", "definitions-1"])
def test_the_process_uses_the_tde_and_is_drawn(tmp_path, name):
    package = new_package(name, tmp_path)
    (resource,) = read_resources([package / f"{name}.bpmn"])
    root = ET.fromstring(resource.content)  # noqa: S314 - our own file
    process = root.find("bpmn:process", NS)
    assert (process.get("id"), process.get("isExecutable")) == (name, "true")
    assert root.find(".//zeebe:taskDefinition", NS).get("type") == f"tde.{name}"
    assert root.find(".//zeebe:input", NS).get("target") == "name"
    identifiers = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(identifiers) == len(set(identifiers))
    drawn = {element.get("bpmnElement") for element in root.iter() if element.get("bpmnElement")}
    assert drawn == {name} | {element.get("id") for element in process if element.get("id")}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Send-Invoice", "send-invoice"),
        ("send_invoice", "send-invoice"),
        ("sendInvoice", "send-invoice"),
        ("", "lower-case letters"),
        ("-", "lower-case letters"),
        ("9lives", "lives"),
        ("send--invoice", "send-invoice"),
        ("send-", "send"),
        ("größe", "lower-case letters"),
        ("a" * 64, "63"),
        ("../away", "lower-case letters"),
        ("a/b", "a-b"),
        ("import", "keyword of Python"),
        ("class", "keyword of Python"),
        ("json", "'json' is installed already"),
        ("pytest", "'pytest' is installed already"),
        ("procos", "'procos' is installed already"),
        ("test", "'test' is installed already"),
        ("tests", "itself needs"),
        ("tde", "itself needs"),
        ("import-linter", "a package 'import-linter' is installed already"),
    ],
)
def test_a_name_that_cannot_be_used(tmp_path, name, words):
    assert words in refusal(name, tmp_path)


def test_a_tde_that_is_installed(tmp_path):
    text = refusal("send-invoice", tmp_path, taken={"send-invoice"})
    assert "a TDE 'send-invoice' is installed already" in text
    assert "my-send-invoice" in text


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "send-invoice").mkdir()
    assert "is there already" in refusal("send-invoice", tmp_path)


def test_a_dangling_link_by_that_name_is_left_alone(tmp_path):
    (tmp_path / "send-invoice").symlink_to("nowhere")
    assert "is there already" in refusal("send-invoice", tmp_path)


def test_a_folder_that_is_not_there(tmp_path):
    assert "there is no folder" in refusal("send-invoice", tmp_path / "gone")


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(UsageError, match="cannot be written"):
        write_package(tmp_path / "half", {"a.txt": "a", "a.txt/b.txt": "a file is no folder"})
    assert list(tmp_path.iterdir()) == []
