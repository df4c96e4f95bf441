"""The TDE `shell`: runs a program with a list of arguments, never through a shell."""

import errno
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from procos.sdk import GiveUp, TaskContext, tde
from procos_workers.child_process import (
    HANDED_THROUGH,
    LONGEST_SECONDS,
    Ended,
    LimitReached,
    Program,
    choose_time_limit,
    run_program,
)
from procos_workers.shell_permissions import SETTABLE, choose_environment, choose_folder, find_program

_REPORTED_LINES: Final = 10
_NOT_STARTABLE: Final = frozenset({errno.E2BIG, errno.EACCES, errno.ENOENT, errno.ENOEXEC, errno.ENOTDIR, errno.EPERM})


class CommandFailed(RuntimeError):
    """The program ended with an exit code other than 0, or was killed; the message has its last lines."""


def _is_list(value: Any) -> Any:  # noqa: ANN401 - a validator sees what the user wrote
    if isinstance(value, str):
        # pydantic reports a ValueError with the field's name; a TypeError would pass it by.
        raise ValueError(  # noqa: TRY004
            'give a list of the program and its arguments, such as ["git", "log"]: there is no shell'
        )
    return value


def _system_text(text: str) -> str:
    if "\0" in text:
        raise ValueError("the operating system takes no NUL character here")
    return _encodable(text)


def _encodable(text: str) -> str:
    text.encode()  # half a character, which JSON can spell, raises a ValueError that says where it is
    return text


def _variable_name(name: str) -> str:
    if not name or "=" in name:
        raise ValueError(f"{name!r} is no name of an environment variable")
    return name


SystemText = Annotated[str, AfterValidator(_system_text)]


class ShellInput(BaseModel):
    """Which program to run, and with what."""

    model_config = ConfigDict(extra="forbid")

    command: Annotated[list[SystemText], BeforeValidator(_is_list)] = Field(
        min_length=1,
        description="The program and its arguments, as a list. No shell reads it: `*`, `|`, `$` mean nothing special.",
        examples=[["git", "log", "--oneline", "-5"]],
    )
    working_folder: SystemText | None = Field(
        default=None,
        description="Where the program runs: a path relative to an allowed root, or an absolute one below it. "
        "By default the first root itself.",
    )
    environment: dict[Annotated[SystemText, AfterValidator(_variable_name)], SystemText] = Field(
        default={}, description="Environment variables to set for the program; the settings say which may be set."
    )
    stdin: Annotated[str, AfterValidator(_encodable)] | None = Field(
        default=None, description="Text that the program reads on stdin; without it, nothing."
    )
    time_limit_seconds: float | None = Field(
        default=None,
        gt=0,
        description="The program is killed after that many seconds; by default, and at most, what the settings say.",
    )
    check: bool = Field(
        default=True, description="Whether an exit code other than 0 fails the task; otherwise it is only an output."
    )


class ShellOutput(BaseModel):
    """How the program ended, and what it wrote."""

    model_config = ConfigDict(extra="forbid")

    exit_code: int = Field(description="The program's exit code; minus the signal's number when a signal killed it.")
    stdout: str = Field(description="What it wrote to stdout, as UTF-8; other bytes become U+FFFD.")
    stderr: str = Field(description="What it wrote to stderr, as UTF-8; other bytes become U+FFFD.")
    stdout_truncated: bool = Field(description="Whether it wrote more to stdout than was kept.")
    stderr_truncated: bool = Field(description="Whether it wrote more to stderr than was kept.")


class ShellConfig(BaseModel):
    """The table `[tde.shell]` of procos.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    programs: list[str] = Field(
        default=["*"],
        description=(
            "The programs that may run; all by default. A program named without a slash is looked for in the worker's "
            "PATH and allowed when its name or its full path matches; one named with a slash only when its full path "
            "does. `*` stands for any characters, slashes too, `?` for one, `[ab]` for one of them; case counts."
        ),
        examples=[["git", "/opt/reports/bin/*"]],
    )
    roots: list[Path] = Field(
        default=[],
        description="Folders that programs may run in, and below; by default only the TDE's data folder.",
    )
    environment: list[str] = Field(
        default=HANDED_THROUGH,
        description="Names of the variables of the worker's environment that programs see; they see no others.",
    )
    settable_environment: list[str] = Field(
        default=SETTABLE,
        description=(
            "Names that a task may set in a program's environment, read from left to right: the last entry that "
            "matches decides, and one that begins with `!` forbids. By default every name but those that make "
            "programs load or start other code."
        ),
        examples=[["REPORT_*", "TZ"]],
    )
    time_limit_seconds: float = Field(
        default=300,
        gt=0,
        le=LONGEST_SECONDS,
        description="The longest that a program may take, in seconds of wall time; a task may ask for less.",
    )
    output_bytes: int = Field(
        default=256 << 10,
        ge=0,
        le=1 << 20,
        description="How many bytes of stdout, and of stderr, are kept; the rest is read and dropped.",
    )
    memory_mb: int | None = Field(
        default=None,
        ge=64,
        description="Address space of each process of the program, in MiB (RLIMIT_AS); no limit by default.",
    )
    cpu_seconds: int | None = Field(
        default=None,
        ge=1,
        description="Processor time of each process of the program, in seconds; no limit by default.",
    )


@tde(
    "shell",
    description="Runs a program with a list of arguments in an allowed folder, with limits of time and output",
    config=ShellConfig,
    secrets=("*",),
    time_limit=timedelta(hours=1),
    examples=("Run the backup program", "Convert the picture with a command line tool", "Start the nightly script"),
)
async def shell(task: ShellInput, context: TaskContext[ShellConfig]) -> ShellOutput:
    """Runs the program and waits for its end; whatever it left running is killed then.

    Raises:
        CommandFailed: it ended with an exit code other than 0, and `check` is on.
        LimitReached: it took too much time or processor time.
        GiveUp: it is not there, or it, its folder or its environment is not allowed.
    """
    config, name = context.config, task.command[0]
    time_limit = choose_time_limit("shell", task.time_limit_seconds, config.time_limit_seconds)
    environment = choose_environment(task.environment, config.settable_environment, config.environment)
    context.data_folder.mkdir(parents=True, exist_ok=True)
    folder = choose_folder(task.working_folder, config.roots or [context.data_folder])
    program = Program(
        executable=find_program(name, config.programs, folder),
        arguments=tuple(task.command),
        folder=folder,
        environment=environment,
        stdin=None if task.stdin is None else task.stdin.encode(),
        time_limit=time_limit,
        output_bytes=config.output_bytes,
        memory_mb=config.memory_mb,
        cpu_seconds=config.cpu_seconds,
    )
    try:
        ended = await run_program(program)
    except OSError as error:
        if error.errno not in _NOT_STARTABLE:
            raise
        raise GiveUp(
            f"'{name}' ({program.executable}) cannot be started: {error.strerror}. Look at its permissions, at the "
            "program that its first line names, and at the length of the arguments"
        ) from error
    context.logger.debug("%s ended with exit code %d", program.executable, ended.exit_code)
    _raise_failure(name, task, ended, config, time_limit)
    return ShellOutput(
        exit_code=ended.exit_code,
        stdout=ended.stdout.text(),
        stderr=ended.stderr.text(),
        stdout_truncated=ended.stdout.truncated,
        stderr_truncated=ended.stderr.truncated,
    )


def _raise_failure(name: str, task: ShellInput, ended: Ended, config: ShellConfig, time_limit: timedelta) -> None:
    if ended.timed_out:
        raise LimitReached(
            f"'{name}' was stopped at its time limit of {time_limit.total_seconds():g} s, with all that it started; "
            "raise time_limit_seconds of the task or under [tde.shell] in procos.toml" + _last_lines(ended)
        )
    if ended.signal_name == "SIGXCPU" and config.cpu_seconds is not None:
        raise LimitReached(
            f"'{name}' used up its {config.cpu_seconds} s of processor time; "
            "raise cpu_seconds under [tde.shell] in procos.toml" + _last_lines(ended)
        )
    if task.check and ended.exit_code != 0:
        how = f"was killed by {ended.signal_name}" if ended.signal_name else f"ended with exit code {ended.exit_code}"
        raise CommandFailed(f"'{name}' {how}{_last_lines(ended)}")


def _last_lines(ended: Ended) -> str:
    for stream, captured in (("stderr", ended.stderr), ("stdout", ended.stdout)):
        lines = captured.last_lines(_REPORTED_LINES)
        if lines:
            return f"; its last lines on {stream}:\n{lines}"
    return ""
