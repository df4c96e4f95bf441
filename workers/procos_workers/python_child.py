"""Calls one function, in a process of its own that the TDE `python` starts by file path.

It sees only the standard library and what the function imports. The request is JSON on stdin: function, arguments,
patterns, path, output_bytes. The answer is JSON on the descriptor that the last argument names: what the function
returned, or why there is nothing. stdout and stderr belong to the function.
"""

import importlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

_MAX_DEPTH = 200
_MAX_MESSAGE = 4000
_LIMITED = ("result", "variables")
_OUTCOMES = ("BpmnError", "RetryLater", "GiveUp")


class Refused(Exception):
    """Trying again would end the same way; the message says what, where, and what to do."""


def main() -> None:
    """Reads the request, calls the function, writes the answer."""
    descriptor, started = int(sys.argv.pop()), os.getpid()
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - takes no keyword
    request = json.load(sys.stdin.buffer)
    _prepare_streams()
    answer = _answer(request)
    # A function that forks may return twice; the answer is the one of the process that was started.
    if os.getpid() == started:
        with os.fdopen(descriptor, "wb") as file:
            file.write(answer)


def _prepare_streams() -> None:
    # Line by line, so that what was printed before a kill is still logged.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]


def _answer(request: dict[str, Any]) -> bytes:
    try:
        return _encode({"result": _call(request)}, request["output_bytes"])
    except BaseException as error:  # noqa: BLE001 - whatever the function raises is its answer, SystemExit too
        try:
            return _encode(_describe(error), request["output_bytes"])
        except Refused as refused:
            return json.dumps(_describe(refused)).encode()


def _call(request: dict[str, Any]) -> object:
    sys.path[:0] = request["path"]
    function, arguments = _find(request["function"], request["patterns"]), request["arguments"]
    try:
        value = function(**arguments)
    except TypeError as error:
        _refuse_wrong_arguments(request["function"], function, arguments, error)
        raise
    if hasattr(type(value), "__await__"):
        return _wait_for(value)
    return value


def _wait_for(awaitable: Any) -> object:  # noqa: ANN401 - any awaitable
    import asyncio  # noqa: PLC0415 - costs more than all the rest; most functions do not need it

    async def result() -> object:
        return await awaitable

    return asyncio.run(result())


def _find(dotted: str, patterns: list[str]) -> Callable[..., object]:
    module_name, name = dotted.split(":")
    module = _import(module_name)
    function: Callable[..., object] | None = getattr(module, name, None)
    if function is None:
        raise Refused(f"the module '{module_name}' ({_file_of(module)}) has no function '{name}'; correct the name")
    if not callable(function):
        raise Refused(f"'{dotted}' is {_a(function)}, not a function; name a function")
    home = getattr(function, "__module__", None) or module_name
    # Without patterns it is allowed by its own name, wherever it comes from.
    if patterns and home != module_name and not any(fnmatchcase(f"{home}:{name}", pattern) for pattern in patterns):
        raise Refused(
            f"it comes from '{home}', and a pattern allows only what the module itself defines; "
            f'if it shall run, add "{dotted}" itself to allow under [tde.python] in procos.toml'
        )
    return function


def _import(module_name: str) -> object:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if missing == module_name or module_name.startswith(missing + "."):
            raise Refused(
                f"there is no module '{missing}'; install its package next to ProcOS, "
                "or add its folder to path under [tde.python] in procos.toml"
            ) from error
        raise Refused(f"the module '{module_name}' imports '{missing}', which is not installed; install it") from error
    except (ImportError, SyntaxError) as error:
        raise Refused(f"the module '{module_name}' cannot be imported: {_type_and_message(error)}") from error


def _refuse_wrong_arguments(
    dotted: str, function: Callable[..., object], arguments: dict[str, Any], error: TypeError
) -> None:
    import inspect  # noqa: PLC0415 - slow to import, and needed only here

    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions have none
        if error.__traceback__ is None or error.__traceback__.tb_next is None:
            raise Refused(f"wrong arguments for '{dotted}': {error}") from error
        return
    try:
        signature.bind(**arguments)
    except TypeError as mismatch:
        raise Refused(f"wrong arguments for '{dotted}': {mismatch}; it takes {signature}") from error


def _describe(error: BaseException) -> dict[str, Any]:
    if isinstance(error, Refused):
        return {"refused": str(error)[:_MAX_MESSAGE]}
    if isinstance(error, MemoryError):
        return {"out_of_memory": True}
    for kind in type(error).__mro__:
        if kind.__module__ == "procos.errors" and kind.__name__ in _OUTCOMES:
            return _describe_outcome(kind.__name__, error)
    import traceback  # noqa: PLC0415 - slow to import, and needed only here

    traceback.print_exception(error)
    return {"raised": f"{_type_and_message(error)}{_innermost_frame(error)}"}


def _describe_outcome(kind: str, error: Any) -> dict[str, Any]:  # noqa: ANN401 - procos is not imported here
    outcome: dict[str, Any] = {"outcome": kind, "message": _message(error)}
    if kind == "BpmnError":
        outcome |= {"code": str(error.code), "variables": error.variables}
    if kind == "RetryLater":
        outcome["after_seconds"] = error.after.total_seconds()
    return outcome


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - a user's __str__ may raise anything
        text = f"(its message cannot be read: {type(broken).__name__})"
    return text[:_MAX_MESSAGE].encode("utf-8", "backslashreplace").decode()


def _type_and_message(error: BaseException) -> str:
    message = _message(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _innermost_frame(error: BaseException) -> str:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return "" if frame is None else f" (at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno})"


def _file_of(module: object) -> str:
    return getattr(module, "__file__", None) or "built in"


def _a(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _encode(answer: dict[str, Any], limit: int) -> bytes:
    parts = []
    for name, value in answer.items():
        flaw = _flaw(value, name, 0)
        if flaw:
            raise Refused(f"{flaw}; what a function gives back must be JSON")
        part = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        if name in _LIMITED and len(part) > limit:
            raise Refused(
                f"its {name} takes {len(part)} bytes as JSON, and {limit} are allowed; give back less, "
                "write the rest to a file, or raise output_bytes under [tde.python] in procos.toml"
            )
        parts.append(f'"{name}":'.encode() + part)
    return b"{" + b",".join(parts) + b"}"


def _flaw(value: object, path: str, depth: int) -> str | None:
    """Why the value is not JSON, with the path to the place; None when it is."""
    flaw = None
    if isinstance(value, dict | list | tuple):
        if depth == _MAX_DEPTH:
            return f"{path[:60]}… is nested more than {_MAX_DEPTH} levels deep, or contains itself"
        flaw = next(filter(None, _flaws_inside(value, path, depth + 1)), None)
    elif isinstance(value, str):
        flaw = _text_flaw(value, path)
    elif isinstance(value, float):
        flaw = None if math.isfinite(value) else f"{path} is {value}, which JSON has no number for"
    elif value is not None and not isinstance(value, bool | int):
        flaw = f"{path} is {_a(value)}"
    return flaw


def _flaws_inside(value: Any, path: str, depth: int) -> Iterator[str | None]:  # noqa: ANN401 - a dict, list or tuple
    if not isinstance(value, dict):
        yield from (_flaw(item, f"{path}[{index}]", depth) for index, item in enumerate(value))
        return
    for key, item in value.items():
        if not isinstance(key, str):
            yield f"{path} has the key {key!r}, {_a(key)}; keys are text in JSON"
        elif flaw := _text_flaw(key, f"a key of {path}"):
            yield flaw
        else:
            yield _flaw(item, f"{path}.{key}" if key.isidentifier() else f"{path}[{key!r}]", depth)


def _text_flaw(text: str, path: str) -> str | None:
    # Most text is plain ASCII, which isascii answers without copying it.
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"{path} is text with half a character ({text[error.start]!a}) at index {error.start}"
    return None


if __name__ == "__main__":
    main()
