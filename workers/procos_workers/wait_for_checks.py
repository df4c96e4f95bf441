"""The checks of the wait-for TDE: each looks once, and says what it found."""

import asyncio
import json
import os
import socket
import stat
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

from pydantic import JsonValue

from procos.sdk import GiveUp, TaskContext
from procos_workers.file_failure import FileFailed, explain
from procos_workers.http import http
from procos_workers.http_config import HttpConfig, host_name
from procos_workers.http_failure import HttpFailed
from procos_workers.json_pointer import NothingThere, find_at, is_same
from procos_workers.rooted_folder import Roots, find
from procos_workers.wait_for_memory import Memory
from procos_workers.wait_for_task import AnswerCondition, FileCondition, HttpCondition, TcpCondition, WaitForConfig

_ALL_STATUS = list(range(200, 600))
_SUCCESS = range(200, 300)
_LONGEST_VALUE = 200


@dataclass(frozen=True)
class Finding:
    """What a check found; `next_chance` is when the condition can hold at the earliest, where that is known."""

    holds: bool
    text: str
    value: JsonValue = None
    next_chance: timedelta | None = None


async def check_http(condition: HttpCondition, context: TaskContext[WaitForConfig]) -> Finding:
    """Asks the server once. Trouble on the way means "not yet".

    Raises:
        GiveUp: what will not pass: a host that is not allowed, a certificate that is not trusted, an answer that is too
            large or not the JSON that it says it is.
    """
    # Every status is an answer here, and the next check is the only repetition.
    request = condition.model_copy(update={"expected_status": _ALL_STATUS})
    config = context.config.http.model_copy(update={"longest_wait_seconds": 0.0})
    asking = cast("TaskContext[HttpConfig]", replace(cast("TaskContext[Any]", context), config=config))
    try:
        answer = await http(request, asking)
    except HttpFailed as failure:
        return Finding(holds=False, text=_own(str(failure)))
    except GiveUp as outcome:
        raise GiveUp(_own(str(outcome))) from None
    text = f"{condition.method} {answer.url}: {answer.status}"
    if answer.status not in (condition.expected_status or _SUCCESS):
        return Finding(holds=False, text=text)
    if condition.answer is None:
        return Finding(holds=True, text=text)
    return _judge(condition.answer, answer.body, text)


def _judge(condition: AnswerCondition, body: JsonValue, text: str) -> Finding:
    where = f"{text}, {condition.pointer or 'the answer'}"
    try:
        found = find_at(condition.pointer, body)
    except NothingThere:
        return Finding(holds=condition.exists is False, text=f"{where} is not there")
    shown = json.dumps(found, ensure_ascii=False)
    return Finding(holds=_holds(condition, found), text=f"{where} is {shown[:_LONGEST_VALUE]}", value=found)


def _holds(condition: AnswerCondition, found: JsonValue) -> bool:
    if condition.exists is not None:
        return condition.exists
    if condition.at_least is not None:
        return isinstance(found, int | float) and not isinstance(found, bool) and found >= condition.at_least
    return any(is_same(found, wanted) for wanted in condition.one_of or [condition.equals])


async def check_file(condition: FileCondition, config: WaitForConfig, memory: Memory) -> Finding:
    """Looks at the file once. What the memory knows of it is updated.

    Raises:
        GiveUp: what a person has to mend: a path outside the roots, a symlink, a permission.
    """
    if not config.roots:
        raise GiveUp("no file can be waited for: set tde.wait-for.roots to the folders that tasks may look into")
    try:
        found = await asyncio.to_thread(_look, condition, config)
    except FileFailed as failure:
        return Finding(holds=False, text=_own(str(failure)))
    except GiveUp as outcome:
        raise GiveUp(_own(str(outcome))) from None
    unchanged = memory.unchanged_seconds((found.st_mtime_ns, found.st_size, found.st_ino) if found else None)
    if found is None:
        return Finding(holds=condition.gone, text=f"{condition.path} is not there")
    wanted = condition.unchanged_for.total_seconds()
    kind = "a folder" if stat.S_ISDIR(found.st_mode) else f"a file of {found.st_size} bytes"
    text = f"{condition.path} is {kind}" + (f", unchanged for {unchanged:.0f} s" if wanted else "")
    if condition.gone or unchanged < wanted:
        left = None if condition.gone else timedelta(seconds=wanted - unchanged)
        return Finding(holds=False, text=text, next_chance=left)
    return Finding(holds=True, text=text)


def _look(condition: FileCondition, config: WaitForConfig) -> os.stat_result | None:
    roots = Roots(config.roots)
    place = roots.place(condition.path)
    try:
        return find(place)
    except OSError as error:
        raise explain(error, where=f"wait for {condition.path}", path=str(place.path), roots=str(roots)) from None


async def check_tcp(condition: TcpCondition, config: HttpConfig) -> Finding:
    """Tries to connect once, and hangs up.

    Raises:
        GiveUp: the settings do not allow the host.
    """
    where = f"{condition.host}:{condition.port}"
    if not config.permits(condition.url):
        raise GiveUp(
            f"{where}: the host {host_name(condition.url)} is not allowed; if it should be, change"
            " tde.wait-for.http.allow_hosts or tde.wait-for.http.deny_hosts"
        )
    try:
        async with asyncio.timeout(config.connect_limit_seconds):
            _, writer = await asyncio.open_connection(condition.host, condition.port)
    except TimeoutError:
        return Finding(holds=False, text=f"{where} did not answer within {config.connect_limit_seconds:g} s")
    except (OSError, UnicodeError) as error:
        return Finding(holds=False, text=f"{where} takes no connection{_reason(error)}")
    writer.transport.abort()
    return Finding(holds=True, text=f"{where} takes connections")


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, socket.gaierror | UnicodeError):
        return ": its name cannot be resolved"
    number = error.errno  # none where several addresses were tried, each with its own
    return f": {os.strerror(number)}" if number else ""


def _own(message: str) -> str:
    """A message of the http or the file TDE, in terms of this one's settings."""
    for theirs, ours in (
        ("tde.http.", "tde.wait-for.http."),
        ("tde.file.roots", "tde.wait-for.roots"),
        ("the file TDE", "wait-for"),
    ):
        message = message.replace(theirs, ours)
    return message
