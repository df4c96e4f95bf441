"""Runs one program in a process group of its own, within limits of time and output."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from procos.sdk import GiveUp
from procos_workers.program_pipes import Captured, Pipes

HANDED_THROUGH = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"]
"""The variables of the worker's environment that a program sees unless procos.toml says otherwise."""

LONGEST_SECONDS = 3540
"""The longest time limit that procos.toml may set, in seconds: a minute less than the TDE's own hour."""

_LAUNCHER = Path(__file__).with_name("limited_program.py")


class LimitReached(RuntimeError):
    """A program was stopped because it reached a limit; the message names the limit and the setting behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run, and how far it may go.

    `arguments` begin with the program's name for itself; `executable` is the file that is started. Of each output
    stream `output_bytes` are kept, the rest is read and dropped. With `answer_bytes` the program gets one more pipe to
    write to: its descriptor is appended to `arguments`, and that many bytes of it are kept. `memory_mb` (MiB) and
    `cpu_seconds` hold for each process that the program consists of, not for their sum.
    """

    executable: str
    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    stdin: bytes | None = None
    time_limit: timedelta
    output_bytes: int
    answer_bytes: int | None = None
    memory_mb: int | None = None
    cpu_seconds: int | None = None

    def command(self) -> tuple[str, tuple[str, ...]]:
        """The executable and its arguments; with limits it is a launcher that sets them and becomes the program."""
        if self.memory_mb is None and self.cpu_seconds is None:
            return self.executable, self.arguments
        # A launcher, because running Python between fork and exec (preexec_fn) can hang in a process with threads.
        limits = (str(self.memory_mb or 0), str(self.cpu_seconds or 0))
        added = "" if "LC_CTYPE" in self.environment else "LC_CTYPE"
        launcher = (sys.executable, "-I", "-S", str(_LAUNCHER), *limits, added, self.executable)
        return sys.executable, launcher + self.arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended: `exit_code` is minus the signal's number when a signal killed it."""

    exit_code: int
    timed_out: bool
    stdout: Captured
    stderr: Captured
    answer: Captured

    @property
    def signal_name(self) -> str | None:
        """The name of the signal that killed the program, or None when it ended by itself."""
        if self.exit_code >= 0:
            return None
        try:
            return signal.Signals(-self.exit_code).name
        except ValueError:
            return f"signal {-self.exit_code}"


async def run_program(program: Program) -> Ended:
    """Runs the program to its end, or kills it when its time is over or this call is cancelled.

    Nothing outlives the call: at its end the whole process group is killed, also what a program that ended by itself
    left running. Only a process that started a session of its own escapes.

    Raises:
        OSError: the program cannot be started.
    """
    async with Pipes() as pipes:
        stdin = asyncio.subprocess.DEVNULL if program.stdin is None else await pipes.feed(program.stdin)
        stdout_end, stdout = await pipes.capture(program.output_bytes)
        stderr_end, stderr = await pipes.capture(program.output_bytes)
        answer_end, answer = await pipes.capture(program.answer_bytes or 0)
        wanted = [] if program.answer_bytes is None else [answer_end]
        process = await _start(program, stdin, stdout_end, stderr_end, wanted)
        pipes.close_their_ends()
        timed_out = not await _ends_in_time(process, program.time_limit)
        await pipes.drain()
        exit_code = await process.wait()
    return Ended(exit_code=exit_code, timed_out=timed_out, stdout=stdout, stderr=stderr, answer=answer)


async def _start(
    program: Program, stdin: int, stdout: int, stderr: int, wanted: Sequence[int]
) -> asyncio.subprocess.Process:
    executable, arguments = program.command()
    # Our own pipes, not asyncio's: with those, some Python versions report the end of a program only when the last
    # process that inherited its stdout is gone too.
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *arguments,
            *map(str, wanted),
            executable=executable,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=wanted,
            cwd=program.folder,
            env=dict(program.environment),
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # Left to itself, asyncio kills the program alone, and what it has started by now lives on.
        starting.add_done_callback(_kill_what_started)
        await asyncio.wait([starting])
        if starting.exception() is None:
            await starting.result().wait()
        raise


def _kill_what_started(starting: asyncio.Task[asyncio.subprocess.Process]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        _kill_group(starting.result())


def _kill_group(process: asyncio.subprocess.Process) -> None:
    # The group keeps its id while a member lives; when none does, the kernel hands it out again only much later.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _ends_in_time(process: asyncio.subprocess.Process, time_limit: timedelta) -> bool:
    try:
        async with asyncio.timeout(time_limit.total_seconds()):
            await process.wait()
    except TimeoutError:
        return False
    finally:
        _kill_group(process)
        await process.wait()
    return True


def handed_through(names: Iterable[str]) -> dict[str, str]:
    """Those variables of the worker's environment that are named; the others stay with the worker."""
    return {name: os.environ[name] for name in names if name in os.environ}


def choose_time_limit(tde_name: str, asked_seconds: float | None, longest_seconds: float) -> timedelta:
    """The time limit of one task: what it asked for, or the longest that the settings allow.

    Raises:
        GiveUp: the task asks for more than the settings allow.
    """
    if asked_seconds is not None and asked_seconds > longest_seconds:
        raise GiveUp(
            f"time_limit_seconds: the task asks for {asked_seconds:g} s, {longest_seconds:g} s is the longest allowed. "
            f"Ask for less, or raise time_limit_seconds under [tde.{tde_name}] in procos.toml"
        )
    return timedelta(seconds=longest_seconds if asked_seconds is None else asked_seconds)
