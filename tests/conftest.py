"""What every test of ProcOS shares."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def without_privileges() -> tuple[str, ...]:
    """A prefix for a command that file permissions hold back, whoever runs the tests."""
    if os.geteuid() != 0:
        return ()
    powers = "-dac_override,-dac_read_search"
    return ("setpriv", f"--bounding-set={powers}", f"--inh-caps={powers}")


@pytest.fixture
def error_of(without_privileges: tuple[str, ...]) -> Callable[[str], str]:
    """Runs a script that file permissions hold back, and returns the message of the ProcosError that it ends in."""

    def run(script: str) -> str:
        caught = (
            f"from procos.errors import ProcosError\ntry:\n    {script}\nexcept ProcosError as e:\n    print(e.message)"
        )
        command = [*without_privileges, sys.executable, "-c", caught]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    return run
