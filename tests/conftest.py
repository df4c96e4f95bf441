"""What every test of ProcOS shares."""

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from inspect import iscoroutinefunction

import pytest
from anyio import fail_after

_PART_FOR_A_COROUTINE = 0.9


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Cancels a coroutine shortly before its time is over.

    The alarm of pytest-timeout would leave it running in the loop that all tests of a process share, and
    every later test would wait behind it.
    """
    test = pyfuncitem.obj
    if iscoroutinefunction(test):
        marker = pyfuncitem.get_closest_marker("timeout")
        seconds = float(marker.args[0] if marker else pyfuncitem.config.getini("timeout"))

        @functools.wraps(test)
        async def in_time(*args: object, **kwargs: object) -> None:
            with fail_after(seconds * _PART_FOR_A_COROUTINE):
                await test(*args, **kwargs)

        pyfuncitem.obj = in_time
    return (yield)


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
