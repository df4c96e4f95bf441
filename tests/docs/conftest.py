"""A scratch copy of the checkout, and a shell in it, for the commands that the pages print."""

import os
import shutil
import site
import subprocess
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from procos.settings import load
from tests.docs.pages import ROOT, project_files

_LONGEST_COMMAND_S = 400


@dataclass(frozen=True)
class Shell:
    """A bash whose folder and variables live on from one command to the next."""

    start_folder: Path
    state: Path
    environment: dict[str, str]

    @property
    def folder(self) -> Path:
        """Where the next command runs."""
        kept = self.state / "folder"
        return Path(kept.read_text().rstrip("\n")) if kept.exists() else self.start_folder

    def __call__(self, command: str) -> tuple[int, str]:
        """Runs a command; its exit code, and what it wrote to stdout and stderr."""
        variables = self.state / "variables"
        before = f"[ -e {variables} ] && . {variables}"
        after = f"code=$?\ndeclare -px > {variables}\npwd > {self.state}/folder\nexit $code"
        done = subprocess.run(
            ["bash", "-c", f"{before}\n{command}\n{after}"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LONGEST_COMMAND_S,
            check=False,
        )
        return done.returncode, done.stdout


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell in a fresh checkout, as a newcomer has it after `make demo`; what it leaves running is stopped."""
    checkout = tmp_path / "checkout"
    for path in project_files():
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, checkout / path)
    binaries = _make_environment(checkout / ".venv")
    for folder in ("state", "user"):
        (tmp_path / folder).mkdir()
    names = ("PROCOS_", "ZEEBE_", "CAMUNDA_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    ours = {
        "PATH": os.pathsep.join([str(binaries), kept.get("PATH", os.defpath)]),
        "HOME": str(tmp_path / "user"),
        "PROCOS_HOME": str(tmp_path / "home"),
        "PROCOS_CACHE": str(load({}).values.cache),  # the engines are fetched once for all tests
        "COLUMNS": "300",  # no table is folded, however long the path of the scratch folder
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    shell = Shell(checkout, tmp_path / "state", kept | ours)
    yield shell
    for command in ("procos down", "procos engine stop"):
        code, output = shell(command)
        assert code == 0, output


def _make_environment(folder: Path) -> Path:
    """A virtual environment that has all that ours has, so that what a page installs goes there and not into ours."""
    venv.EnvBuilder(symlinks=True).create(folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    ours = [path for path in site.getsitepackages() if Path(path).is_dir()]
    lines = [f"import site; site.addsitedir({path!r})\n" for path in ours]
    (packages / "shared.pth").write_text("".join(lines))
    for name in ("procos", "pip"):
        program = folder / "bin" / name
        program.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -m {name} "$@"\n')
        program.chmod(0o755)
    return folder / "bin"
