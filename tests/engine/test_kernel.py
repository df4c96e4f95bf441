"""The kernel's life on the real engine: boot, status, second boot, kill, adopt, drain, a gateway that goes away."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.engine.conftest import Procos, procos_in
from tests.engine.processes import one_task, write

pytestmark = pytest.mark.engine


def eventually(check: Callable[[], bool], *, seconds: float = 60) -> None:
    """Waits until `check` is true."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def free_port() -> str:
    """A port that was free just now, far from those that engines choose by themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def phase(procos: Procos) -> str | None:
    state = procos.state()
    return state["phase"] if state else None


def test_boot_registers_the_tdes_of_the_entry_points_and_runs_the_bootstrap_process(shared: Procos) -> None:
    state = shared.state()
    assert state is not None
    assert state["phase"] == "ready"
    assert {"file", "http", "python", "shell"} <= set(state["tdes"])
    catalogue = json.loads((shared.home / "state" / "catalogue.json").read_text())
    assert {entry["name"] for entry in catalogue} >= {"file", "http", "python", "shell"}
    assert all(entry["input_schema"]["properties"] for entry in catalogue)
    assert has_completed(shared, state["bootstrap_key"])


def test_second_boot_in_one_home_is_refused_and_names_the_first(shared: Procos) -> None:
    state = shared.state()
    assert state is not None
    done = shared("boot", "--detach", check=False)
    assert done.returncode == 1
    assert str(state["pid"]) in done.stderr
    assert "--home" in done.stderr
    assert "Traceback" not in done.stderr


def test_engine_is_not_stopped_under_a_kernel(shared: Procos) -> None:
    state = shared.state()
    assert state is not None
    done = shared("engine", "stop", check=False)
    assert done.returncode == 1
    assert f"process {state['pid']}" in done.stderr
    assert "procos down" in done.stderr


def test_doctor_finds_all_well(shared: Procos) -> None:
    findings = json.loads(shared("doctor", "--json").stdout)
    assert all(finding["is_well"] for finding in findings)
    assert {"engine", "home", "disk", "tdes", "kernel", "java"} <= {finding["part"] for finding in findings}


def test_unchanged_kernel_process_gets_no_new_version_and_a_killed_kernel_leaves_an_engine_that_is_adopted(
    procos: Procos,
) -> None:
    procos("boot", "--detach", timeout=300)
    first = procos.state()
    assert first is not None
    engine = json.loads(procos("engine", "status", "--json").stdout)
    os.kill(first["pid"], signal.SIGKILL)
    eventually(lambda: procos.state() is None)
    assert psutil.pid_exists(engine["pid"])

    procos("boot", "--detach", timeout=300)
    second = procos.state()
    assert second is not None
    assert second["pid"] != first["pid"]
    assert second["kernel_id"] == first["kernel_id"]
    assert json.loads(procos("engine", "status", "--json").stdout)["pid"] == engine["pid"]
    log = (procos.home / "logs" / "kernel.log").read_text()
    assert "'procos-bootstrap' deployed, version 1" in log
    assert "'procos-bootstrap' unchanged, version 1" in log

    procos("down")
    eventually(lambda: not psutil.pid_exists(engine["pid"]))


def test_embedded_engine_that_was_killed_is_started_again_and_work_goes_on(procos: Procos, tmp_path: Path) -> None:
    # A port that no engine of another test asks for while this one is down.
    procos = procos.with_environment(PROCOS_ENGINE_PORT=free_port())
    procos("boot", "--detach", timeout=300)
    before = json.loads(procos("engine", "status", "--json").stdout)
    os.kill(before["pid"], signal.SIGKILL)
    eventually(lambda: phase(procos) == "reconnecting")
    eventually(lambda: phase(procos) == "ready", seconds=120)
    after = json.loads(procos("engine", "status", "--json").stdout)
    assert after["pid"] != before["pid"]
    assert after["address"] == before["address"]
    inputs = {"operation": '="write"', "path": '="again.txt"', "content": '="works"'}
    file = write(tmp_path, "again", one_task("again", "tde.file", inputs=inputs, outputs={"done": "=true"}))
    assert json.loads(procos("run", file, "--wait").stdout)["done"] is True
    procos("down")
    eventually(lambda: not psutil.pid_exists(after["pid"]))


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_signal_lets_the_running_job_finish_and_stops_the_engine(
    procos: Procos, tmp_path: Path, signal_number: int
) -> None:
    kernel = procos.start("boot")
    with ending(kernel):
        eventually(lambda: phase(procos) == "ready", seconds=120)
        engine = json.loads(procos("engine", "status", "--json").stdout)
        done_file = tmp_path / "done"
        script = f"sleep 2; touch {done_file}"
        command = json.dumps(["sh", "-c", script])
        file = write(tmp_path, "drain", one_task("drain", "tde.shell", inputs={"command": f"={command}"}))
        procos("run", file)
        eventually(lambda: any(worker["in_hand"] for worker in (procos.state() or {}).get("workers", [])))
        kernel.send_signal(signal_number)
        assert kernel.wait(60) == 0
        assert done_file.exists()
        assert not psutil.pid_exists(engine["pid"])


def test_gateway_that_goes_away_is_waited_for_and_jobs_in_hand_are_finished(tmp_path: Path) -> None:
    # Pinned, so that the engine is where the kernel looks for it, each time it comes.
    port = free_port()
    address = f"127.0.0.1:{port}"
    engine_side = procos_in(tmp_path / "engine-home", PROCOS_ENGINE_PORT=port)
    kernel_side = procos_in(tmp_path / "kernel-home", ZEEBE_ADDRESS=address, PROCOS_LEASE="60")
    kernel = kernel_side.start("boot")
    try:
        with ending(kernel):
            eventually(lambda: phase(kernel_side) == "waiting")
            assert kernel_side("status", check=False).returncode == 3

            engine_side("engine", "start", timeout=300)
            eventually(lambda: phase(kernel_side) == "ready", seconds=120)

            marker = tmp_path / "worked"
            script = f"sleep 4; echo once >> {marker}"
            command = json.dumps(["sh", "-c", script])
            text = one_task("away", "tde.shell", inputs={"command": f"={command}"}, outputs={"code": "=exit_code"})
            kernel_side("deploy", write(tmp_path, "away", text))
            started = engine_side("run", "away")
            eventually(lambda: any(it["in_hand"] for it in (kernel_side.state() or {}).get("workers", [])))

            os.kill(json.loads(engine_side("engine", "status", "--json").stdout)["pid"], signal.SIGKILL)
            eventually(lambda: phase(kernel_side) == "reconnecting")
            shown = kernel_side("status", check=False)
            assert shown.returncode == 3
            assert "reconnecting" in shown.stdout
            assert address in shown.stdout

            engine_side("engine", "start", timeout=300)
            eventually(lambda: phase(kernel_side) == "ready", seconds=60)
            eventually(lambda: has_completed(engine_side, int(started.stdout)), seconds=90)
            assert marker.read_text().splitlines() == ["once"]
    finally:
        engine_side("engine", "stop", check=False)


def test_no_engine_is_exit_code_three_and_says_what_to_do(tmp_path: Path) -> None:
    command = procos_in(tmp_path / "empty")
    for arguments in (["run", "x"], ["deploy", str(_any_file(tmp_path))]):
        done = command(*arguments, check=False)
        assert done.returncode == 3
        assert "procos boot" in done.stderr
        assert "Traceback" not in done.stderr
    away = command.with_environment(ZEEBE_ADDRESS="127.0.0.1:1")("run", "x", check=False)
    assert away.returncode == 3
    assert "127.0.0.1:1" in away.stderr


def _any_file(folder: Path) -> Path:
    return write(folder, "any", one_task("any", "tde.file"))


def has_completed(procos: Procos, process_instance_key: int) -> bool:
    """Whether the engine's own records say that the instance ran to its end."""
    for file in (procos.home / "engine" / "records").glob("*.jsonl"):
        for line in file.read_text().splitlines():
            if '"ELEMENT_COMPLETED"' in line and json.loads(line)["key"] == process_instance_key:
                return True
    return False


@contextlib.contextmanager
def ending(process: subprocess.Popen[str]):  # type: ignore[no-untyped-def]
    """Ends the process with the test, and shows what it said when the test failed."""
    try:
        yield
    except AssertionError as error:
        process.terminate()
        out, err = process.communicate(timeout=60)
        raise AssertionError(f"the kernel said:\n{out}\n{err}") from error
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)
