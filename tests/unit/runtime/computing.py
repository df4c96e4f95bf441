"""CPU-bound functions, which another process finds by this module's name."""

import logging
import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from procos.errors import BpmnError, GiveUp, RetryLater
from procos.sdk import TaskContext
from procos.sdk.registration import NoConfig

Context = TaskContext[NoConfig]
PLENTY = 1_000_000


class In(BaseModel):
    do: str = ""
    text: str = ""


class Out(BaseModel):
    value: Any = None


class Odd(Exception):
    """An error that pickle cannot bring back: it takes two arguments and hands on one."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"odd {code}: {text}")


class Own(ValueError):
    """An error of the author's own."""


def process_id(data: In) -> Out:
    return Out(value=os.getpid())


def echo(data: In, context: Context) -> Out:
    return Out(value=[data.text, context.job_key, context.attempt, context.headers.get("check"), context.saved])


def nothing(data: In) -> None:
    return None


def raise_one(data: In) -> Out:
    errors: dict[str, BaseException] = {
        "bpmn": BpmnError("CODE", "why", variables={"n": [1]}),
        "later": RetryLater("not now", after=timedelta(minutes=7), keep_retries=True),
        "give up": GiveUp("never"),
        "own": Own("of my own"),
        "odd": Odd(7, "words"),
        "lock": ValueError(threading.Lock()),
        "exit": SystemExit(3),
        "interrupt": KeyboardInterrupt(),
        "stop": StopIteration("empty"),
    }
    raise errors[data.do]


def unpicklable(data: In) -> Out:
    return Out(value=threading.Lock())


def die(data: In) -> Out:
    os._exit(9)


def log(data: In, context: Context) -> Out:
    context.logger.info("said by %s", "context")
    logging.getLogger("procos.tde.some").debug("too small")
    logging.getLogger("some.library").warning("said by a library")
    try:
        int("x")
    except ValueError:
        context.logger.exception("said with a traceback")
    return Out()


def keep(data: In, context: Context) -> Out:
    context.progress(1)
    context.progress({"page": 2})
    raise ValueError("once more")


def keep_what_is_not_json(data: In, context: Context) -> Out:
    try:
        context.progress({1, 2})
    except TypeError as error:
        return Out(value=str(error))
    return Out(value="taken")


def use_secret(data: In, context: Context) -> Out:
    secret = context.secret("TOKEN")
    context.logger.warning("logged in with %s", secret)
    if data.do == "fail":
        raise ValueError(f"cannot log in with {secret}")
    return Out(value=f"<{secret}>")


def hang(data: In) -> Out:
    Path(data.text).write_text(str(os.getpid()), encoding="ascii")
    time.sleep(60)
    return Out()


def print_a_lot(data: In) -> Out:
    print("x" * PLENTY)
    print("x" * PLENTY, file=sys.stderr)
    os.write(2, b"x" * PLENTY)
    os.write(1, b"RETURN 3\nabc")
    return Out(value="printed")


def start_programs(data: In) -> Out:
    # It prints, and reads all that is given to it.
    program = f"import sys; sys.stdin.read(); print('x' * {PLENTY}); print('x' * {PLENTY}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], check=True, timeout=20)
    return Out(value=done.returncode)
