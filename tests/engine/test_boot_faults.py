"""What a person sees when a boot cannot succeed: which part, why, and the mend; and nothing is left behind."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.engine.conftest import Procos, procos_in
from tests.engine.test_kernel import ending, eventually

pytestmark = pytest.mark.engine
_Found = TypeVar("_Found")


def test_no_network_at_first_boot(tmp_path: Path) -> None:
    command = procos_in(
        tmp_path / "home",
        PROCOS_CACHE=str(tmp_path / "cache"),
        HOME=str(tmp_path),
        PROCOS_MAVEN_REPOSITORY="http://127.0.0.1:9",
    )
    done = command("boot", "--detach", check=False)
    assert done.returncode == 1
    assert "127.0.0.1 cannot be reached" in done.stderr
    assert "PROCOS_MAVEN_REPOSITORY" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "cache").rglob("bin/broker"))


def test_pinned_port_that_is_taken_is_named(procos: Procos) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = procos("boot", "--detach", "--engine-port", port, check=False)
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_home_without_permission_is_named(tmp_path: Path, without_privileges: tuple[str, ...]) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    command = procos_in(closed / "home")
    done = subprocess.run(
        [*without_privileges, *command.command("boot", "--detach")],
        env=dict(command.environment), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert str(closed / "home") in done.stderr
    assert "--home" in done.stderr
    assert "Traceback" not in done.stderr


def test_data_of_a_newer_engine_is_refused_and_kept(procos: Procos) -> None:
    procos("engine", "start", timeout=300)
    procos("engine", "stop")
    before = sorted(file.name for file in (procos.home / "engine" / "data").rglob("*") if file.is_file())
    done = procos("boot", "--detach", "--engine-version", "8.5.8", check=False, timeout=300)
    assert done.returncode == 1
    assert "8.6.0" in done.stderr
    assert "8.5.8" in done.stderr
    assert sorted(file.name for file in (procos.home / "engine" / "data").rglob("*") if file.is_file()) == before


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PROCOS_LEASE": "soon"}, ["lease", "PROCOS_LEASE"]),
        ({"PROCOS_LEES": "1"}, ["PROCOS_LEES", "procos config"]),
        ({"PROCOS_ENGINE_VERSION": "7.0"}, ["7.0", "8.6.0"]),
        ({"PROCOS_TDE__SHELL__PROGRAM": '["ls"]'}, ["[tde.shell]", "program"]),
        ({"PROCOS_TDE__SHEL__PROGRAMS": '["ls"]'}, ["[tde.shel]", "shell"]),
        ({"ZEEBE_ADDRESS": "nonsense"}, ["ZEEBE_ADDRESS", "HOST:PORT"]),
    ],
)
def test_wrong_setting_is_named_with_its_source(tmp_path: Path, variables: dict[str, str], words: list[str]) -> None:
    done = procos_in(tmp_path / "home", **variables)("boot", "--detach", check=False)
    assert done.returncode == 2
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_failed_health_check_is_an_incident_and_the_kernel_goes_on_when_it_is_resolved(
    shared: Procos, zbctl: Path, tmp_path: Path
) -> None:
    """The home lies on a disk of 20 MB in a mount namespace of its own; the flag makes it large enough."""
    state = shared.state()
    assert state is not None
    home, flag = tmp_path / "small", tmp_path / "flag"
    home.mkdir()
    script = (
        f"mount -t tmpfs -o size=20m none {home} && "
        f"(while [ ! -e {flag} ]; do sleep 0.2; done; mount -o remount,size=300m {home}; touch {flag}.done) & "
        f"sleep 0.5; exec {sys.executable} -m procos boot"
    )
    assert shutil.which("unshare"), "this test needs unshare (util-linux)"
    command = procos_in(home, ZEEBE_ADDRESS=state["address"])
    kernel = subprocess.Popen(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", script],
        env=dict(command.environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with ending(kernel):
        incident = _wait_for(lambda: _incident(shared, "are free under"))
        assert incident["value"]["elementId"]
        assert "free some disk space" in incident["value"]["errorMessage"]
        flag.touch()
        eventually((tmp_path / "flag.done").exists)
        address = ["--insecure", "--address", state["address"]]
        job, key = str(incident["value"]["jobKey"]), str(incident["key"])
        subprocess.run(
            [str(zbctl), *address, "update", "retries", job, "--retries", "1"], check=True, capture_output=True
        )
        subprocess.run([str(zbctl), *address, "resolve", "incident", key], check=True, capture_output=True)
        bootstrap = incident["value"]["processInstanceKey"]
        _wait_for(lambda: _ended(shared, bootstrap))
        kernel.send_signal(signal.SIGTERM)
        _, said = kernel.communicate(timeout=60)
    assert "are free under" in said
    assert "ready: Zeebe" in said


def _wait_for(look: Callable[[], _Found | None], seconds: float = 60) -> _Found:
    end = time.monotonic() + seconds
    while (found := look()) is None:
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)
    return found


def _records(procos: Procos, words: str) -> list[dict]:
    lines = [
        line
        for file in (procos.home / "engine" / "records").glob("*.jsonl")
        for line in file.read_text().splitlines()
        if re.search(words, line)
    ]
    return [json.loads(line) for line in lines]


def _incident(procos: Procos, text: str) -> dict | None:
    found = [it for it in _records(procos, '"valueType":"INCIDENT"') if text in it["value"]["errorMessage"]]
    return found[-1] if found else None


def _ended(procos: Procos, key: int) -> bool | None:
    return any(it["key"] == key for it in _records(procos, '"ELEMENT_COMPLETED"')) or None
