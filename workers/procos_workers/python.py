"""The TDE `python`: runs an allowed Python function in a child process with limits."""

import json
import sys
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from procos.sdk import BpmnError, GiveUp, RetryLater, TaskContext, tde
from procos_workers.child_process import (
    HANDED_THROUGH,
    LONGEST_SECONDS,
    Ended,
    LimitReached,
    Program,
    choose_time_limit,
    handed_through,
    run_program,
)

_CHILD: Final = Path(__file__).with_name("python_child.py")
_LOGGED_BYTES: Final = 64 << 10
_ENVELOPE_BYTES: Final = 64 << 10
_WILDCARDS: Final = frozenset("*?[")


class FunctionFailed(RuntimeError):
    """The function raised; the message is its exception's type and message, and where it was raised."""


def _dotted_path(text: str) -> str:
    module, colon, name = text.rpartition(":")
    if not colon:
        module, _, name = text.rpartition(".")
    if not (name.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        raise ValueError("write it as package.module:function or package.module.function")
    return f"{module}:{name}"


def _pattern(text: str) -> str:
    return text if _WILDCARDS.intersection(text) else _dotted_path(text)


class PythonInput(BaseModel):
    """Which function to call, and with what."""

    model_config = ConfigDict(extra="forbid")

    function_name: Annotated[str, AfterValidator(_dotted_path)] = Field(
        description="The function's dotted path: `package.module:function` or `package.module.function`."
        " (FEEL reserves the word `function`, so this input cannot be called that.)",
        examples=["reports.monthly:totals"],
    )
    arguments: dict[str, JsonValue] = Field(
        default={}, description="Its keyword arguments by name.", examples=[{"year": 2025}]
    )
    time_limit_seconds: float | None = Field(
        default=None,
        gt=0,
        description="The function is killed after that many seconds; by default, and at most, what the settings say.",
    )


class PythonOutput(BaseModel):
    """What the function returned."""

    model_config = ConfigDict(extra="forbid")

    result: JsonValue = Field(description="What the function returned.")


class PythonConfig(BaseModel):
    """The table `[tde.python]` of procos.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow: list[Annotated[str, AfterValidator(_pattern)]] = Field(
        default=[],
        description=(
            "The functions that may run; none by default. An entry without wildcards allows the one function of that "
            "path. In a pattern `*` stands for any characters, dots and colons too, `?` for one, `[ab]` for one of "
            "them; case counts, and the whole of `package.module:function` must match: `reports.*` allows "
            "`reports.monthly:totals`, but neither `reports:totals` nor `reports2.x:f`. A pattern allows public "
            "functions that a matching module defines; what it merely imports, and names that begin with an "
            "underscore, need an entry of their own."
        ),
        examples=[["reports.monthly:totals", "reports.yearly:*"]],
    )
    path: list[Path] = Field(
        default=[], description="Folders where modules are looked for, before the installed packages."
    )
    memory_mb: int = Field(
        default=1024, ge=64, description="Address space of each process of the function, in MiB (RLIMIT_AS)."
    )
    cpu_seconds: int = Field(
        default=60, ge=1, description="Processor time of each process of the function, in seconds."
    )
    time_limit_seconds: float = Field(
        default=120,
        gt=0,
        le=LONGEST_SECONDS,
        description="The longest that a function may take, in seconds of wall time; a task may ask for less.",
    )
    output_bytes: int = Field(
        default=1 << 20,
        ge=1,
        le=3 << 20,
        description="The largest result, in bytes of JSON; the engine refuses messages over 4 MiB.",
    )
    environment: list[str] = Field(
        default=HANDED_THROUGH,
        description="Names of the variables of the worker's environment that the function sees; it sees no others.",
    )


@tde(
    "python",
    description="Runs a Python function by its dotted path, from an allow-list, in a process of its own with limits",
    config=PythonConfig,
    secrets=("*",),
    time_limit=timedelta(hours=1),
    examples=("Compute the totals with our Python function", "Call a Python function on the data"),
)
async def python(task: PythonInput, context: TaskContext[PythonConfig]) -> PythonOutput:
    """Calls the function in a child process, whose working folder is the TDE's data folder.

    Raises:
        FunctionFailed: the function raised.
        LimitReached: it took too much time, processor time or memory.
        GiveUp: it may not run, does not exist, does not take these arguments, or returned no JSON or too much.
        BpmnError: the function raised it; GiveUp and RetryLater likewise.
    """
    config = context.config
    patterns = _allowing_patterns(task.function_name, config.allow)
    time_limit = choose_time_limit("python", task.time_limit_seconds, config.time_limit_seconds)
    context.data_folder.mkdir(parents=True, exist_ok=True)
    request = {
        "function": task.function_name,
        "arguments": task.arguments,
        "patterns": patterns,
        "path": [str(folder.expanduser().absolute()) for folder in config.path],
        "output_bytes": config.output_bytes,
    }
    ended = await run_program(
        Program(
            executable=sys.executable,
            arguments=(sys.executable, "-I", str(_CHILD)),
            folder=context.data_folder,
            environment=handed_through(config.environment),
            stdin=json.dumps(request).encode(),
            time_limit=time_limit,
            output_bytes=_LOGGED_BYTES,
            answer_bytes=config.output_bytes + _ENVELOPE_BYTES,
            memory_mb=config.memory_mb,
            cpu_seconds=config.cpu_seconds,
        )
    )
    _log_output(task.function_name, ended, context)
    if ended.timed_out:
        raise LimitReached(
            f"'{task.function_name}' was stopped at its time limit of {time_limit.total_seconds():g} s, with all it "
            "started; make it faster, or raise time_limit_seconds of the task or under [tde.python] in procos.toml"
        )
    return PythonOutput(result=_result(task.function_name, ended, config))


def _allowing_patterns(function: str, allow: list[str]) -> list[str]:
    """The patterns that allow the function; none when it is allowed by its own name."""
    if function in allow:
        return []
    patterns = [pattern for pattern in allow if _WILDCARDS.intersection(pattern)]
    public = not function.rpartition(":")[2].startswith("_")
    if public and any(fnmatchcase(function, pattern) for pattern in patterns):
        return patterns
    others = "..., " if allow else ""
    raise GiveUp(
        f"'{function}' is not on the allow-list of the python TDE. If it shall run, "
        f'write under [tde.python] in procos.toml: allow = [{others}"{function}"]'
    )


def _log_output(function: str, ended: Ended, context: TaskContext[PythonConfig]) -> None:
    for name, captured in (("stdout", ended.stdout), ("stderr", ended.stderr)):
        if captured.data:
            rest = " (the rest was dropped)" if captured.truncated else ""
            context.logger.info("%s wrote to %s%s:\n%s", function, name, rest, captured.text().rstrip())


def _result(function: str, ended: Ended, config: PythonConfig) -> JsonValue:
    try:
        answer: dict[str, Any] = json.loads(ended.answer.data)
    except ValueError as error:
        raise _ended_without_answer(function, ended, config) from error
    match answer:
        case {"result": result}:
            return cast("JsonValue", result)
        case {"raised": message}:
            raise FunctionFailed(message)
        case {"out_of_memory": _}:
            raise LimitReached(
                f"'{function}' ran out of memory at its limit of {config.memory_mb} MiB; "
                "make it use less, or raise memory_mb under [tde.python] in procos.toml"
            )
        case {"outcome": "BpmnError", "code": code, "message": message, "variables": variables}:
            raise BpmnError(code, message, variables=variables)
        case {"outcome": "RetryLater", "message": message, "after_seconds": seconds}:
            raise RetryLater(message, after=timedelta(seconds=seconds))
        case {"outcome": "GiveUp", "message": message}:
            raise GiveUp(message)
        case _:
            raise GiveUp(f"'{function}': {answer['refused']}")


def _ended_without_answer(function: str, ended: Ended, config: PythonConfig) -> RuntimeError:
    if ended.signal_name == "SIGXCPU":
        return LimitReached(
            f"'{function}' used up its {config.cpu_seconds} s of processor time; "
            "make it faster, or raise cpu_seconds under [tde.python] in procos.toml"
        )
    if ended.signal_name:
        return FunctionFailed(
            f"'{function}' was killed by {ended.signal_name} before it returned: native code crashed, it was killed, "
            f"or memory ran out: that of the machine, or its own {config.memory_mb} MiB (memory_mb under [tde.python])"
        )
    last_lines = ended.stderr.last_lines(5)
    return FunctionFailed(
        f"'{function}' ended its process with exit code {ended.exit_code} instead of returning"
        + (f"; its last lines on stderr:\n{last_lines}" if last_lines else "")
    )
