"""One kernel per home: who holds it, and what is said of it when it runs, was killed, or is of another version."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from procos.errors import KernelError
from procos.kernel import presence
from procos.kernel.home import Home
from procos.model.kernel_state import KernelState, Problem

KERNEL = """
import sys, time
from pathlib import Path
from procos.errors import KernelError
from procos.kernel import presence
from procos.kernel.home import Home

home = Home(Path(sys.argv[1]))
try:
    with presence.hold(home):
        presence.announce(home, version="9.9")
        print("held", flush=True)
        sys.stdin.read()
except KernelError as error:
    print(error.message, "|", error.hint, flush=True)
    sys.exit(error.exit_code)
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + KERNEL


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@contextlib.contextmanager
def kernel_in(home: Home, program: str = KERNEL) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the home until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(home.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def state_of(process: psutil.Process, **changes: object) -> KernelState:
    now = datetime.now(UTC)
    state = KernelState(
        kernel_id="k1",
        pid=process.pid,
        process_created=process.create_time(),
        phase="ready",
        version="1",
        started_at=now,
        updated_at=now,
    )
    return state.model_copy(update=changes)


# Holding


def test_a_home_can_be_held_again_after_it_was_let_go(home):
    for _ in range(2):
        with presence.hold(home):
            pass


def test_two_kernels_in_one_process_cannot_hold_one_home(home):
    with presence.hold(home), pytest.raises(KernelError, match=r"runs in .* already"), presence.hold(home):
        pass


def test_a_second_process_is_refused_and_told_which_process_holds_the_home(home):
    with kernel_in(home) as first:
        second = subprocess.run(
            [sys.executable, "-c", KERNEL, str(home.path)], capture_output=True, text=True, timeout=60, check=False
        )

        assert second.returncode == KernelError.exit_code
        assert f"a kernel (process {first.pid}) runs in {home.path} already" in second.stdout
        assert "procos down" in second.stdout


def test_a_home_whose_kernel_was_killed_can_be_held_at_once(home):
    with kernel_in(home) as first:
        first.send_signal(signal.SIGKILL)
        first.wait(10)
        with presence.hold(home):
            assert presence.read(home) is None


def test_a_lock_without_a_state_names_no_process(home):
    with (
        presence.hold(home),
        pytest.raises(KernelError, match=r"^a kernel runs in"),
        presence.hold(home),
    ):
        pass


def test_an_error_inside_lets_the_home_go(home):
    with pytest.raises(ZeroDivisionError), presence.hold(home):
        raise ZeroDivisionError
    with presence.hold(home):
        pass


# The state


def test_a_new_kernel_announces_itself(home):
    state = presence.announce(home, version="1.2")

    assert state.phase == "starting"
    assert (state.pid, state.version, state.kernel_id) == (os.getpid(), "1.2", home.kernel_id())
    assert state.bootstrap_key is None
    assert presence.read(home) == state


def test_the_next_kernel_knows_the_bootstrap_of_the_one_before(home):
    presence.write(home, presence.announce(home, version="1").model_copy(update={"bootstrap_key": 42}))

    assert presence.announce(home, version="1").bootstrap_key == 42


def test_a_state_is_read_back_as_it_was_written(home):
    problem = Problem(what="no disk space", hint="free some")
    state = state_of(psutil.Process(), problems=(problem,), tdes=("http",))
    presence.write(home, state)

    assert presence.read(home) == state


def test_the_state_of_a_running_kernel_is_read_from_another_process(home):
    with kernel_in(home) as kernel:
        state = presence.read(home)

        assert state is not None
        assert (state.pid, state.version) == (kernel.pid, "9.9")


def test_a_home_without_a_state_has_no_kernel(home, tmp_path):
    assert presence.read(home) is None
    assert presence.read(Home(tmp_path / "nowhere")) is None
    assert presence.last_known(home) is None


def test_a_killed_kernel_does_not_run_and_is_still_last_known(home):
    with kernel_in(home) as kernel:
        kernel.kill()
        kernel.wait(10)

        assert presence.read(home) is None
        last = presence.last_known(home)
        assert last is not None
        assert last.pid == kernel.pid


def test_a_kernel_that_is_dead_and_not_yet_reaped_does_not_run(home):
    with kernel_in(home) as kernel:
        kernel.kill()
        os.waitid(os.P_PID, kernel.pid, os.WEXITED | os.WNOWAIT)

        assert presence.read(home) is None


def test_another_process_under_the_recycled_id_of_a_killed_kernel_does_not_count(home):
    mine = psutil.Process()
    presence.write(home, state_of(mine, process_created=mine.create_time() - 3600))

    assert presence.read(home) is None
    assert presence.terminate(home, longest=timedelta(seconds=1)) is False


def test_a_clock_that_was_set_by_a_little_does_not_hide_a_running_kernel(home):
    mine = psutil.Process()
    presence.write(home, state_of(mine, process_created=mine.create_time() + 1))

    assert presence.read(home) is not None, "the boot time that the kernel of the system tells moves with its clock"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"phase": "ready"}', '{"kernel_id": 5}', "null", b"\xff\xfe", b"\x00" * 100]
)
def test_a_state_that_cannot_be_read_tells_nothing(home, content):
    home.state_file.write_bytes(content.encode() if isinstance(content, str) else content)

    assert presence.read(home) is None
    assert presence.announce(home, version="1").bootstrap_key is None


def test_the_state_of_another_version_tells_nothing_it_could_misread(home):
    fields = json.loads(state_of(psutil.Process()).model_dump_json())
    home.state_file.write_text(json.dumps(fields | {"phase": "hibernating"}), encoding="utf-8")

    assert presence.read(home) is None


def test_what_a_newer_version_adds_to_the_state_does_no_harm(home):
    fields = json.loads(state_of(psutil.Process()).model_dump_json())
    home.state_file.write_text(json.dumps(fields | {"mood": "good"}), encoding="utf-8")

    state = presence.read(home)
    assert state is not None
    assert state.kernel_id == "k1"


def test_a_home_that_is_a_file_has_no_kernel(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")

    assert presence.read(Home(tmp_path / "file")) is None


def test_a_state_that_may_not_be_read_is_named(home, error_of):
    presence.announce(home, version="1")
    home.state_file.chmod(0)
    script = (
        "from pathlib import Path; from procos.kernel.home import Home; from procos.kernel import presence; "
        f"presence.read(Home(Path({str(home.path)!r})))"
    )
    assert error_of(script) == f"{home.state_file} cannot be read: Permission denied"


def test_a_state_that_is_a_folder_is_named(home):
    home.state_file.mkdir()

    with pytest.raises(KernelError, match=r"kernel\.json cannot be read: Is a directory"):
        presence.read(home)


# Replacing files


def test_a_reader_sees_the_old_file_or_the_new_one_and_never_a_part(tmp_path):
    path = tmp_path / "state.json"
    texts = {"a" * 200_000, "b" * 300_000}
    presence.replace_file(path, "a" * 200_000)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for text in texts:
                presence.replace_file(path, text)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = {path.read_text(encoding="utf-8") for _ in range(300)}
    finally:
        stop.set()
        writer.join()

    assert seen <= texts
    assert list(tmp_path.iterdir()) == [path]


# Ending


def test_terminating_stops_the_kernel_and_waits_for_its_end(home):
    with kernel_in(home) as kernel:
        assert presence.terminate(home, longest=timedelta(seconds=20)) is True

        assert not psutil.pid_exists(kernel.pid)
        assert presence.read(home) is None


def test_terminating_where_nothing_runs_says_so(home):
    assert presence.terminate(home, longest=timedelta(seconds=1)) is False


def test_a_kernel_that_does_not_end_in_time_is_named(home):
    with kernel_in(home, STUBBORN) as kernel, pytest.raises(KernelError) as caught:
        presence.terminate(home, longest=timedelta(seconds=0.1))

    assert caught.value.message == f"the kernel (process {kernel.pid}) has not stopped within 0.1 s"
    assert f"kill -9 {kernel.pid}" in str(caught.value.hint)
