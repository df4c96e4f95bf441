# ruff: noqa: PTH109, PTH123 - what users' functions look like
"""Functions that the tests of the python TDE run in real child processes."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from functools import wraps
from os import getcwd  # noqa: F401 - a name that this module only imports

NUMBERS = {"one": 1}


def add(left, right=1):
    return left + right


def echo(value):
    return value


async def add_later(left, right):
    await asyncio.sleep(0)
    return left + right


def _private():
    return "private"


def _announced(function):
    @wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@_announced
def decorated(name):
    return name.upper()


def environment():
    return dict(os.environ)


def surroundings():
    return {
        "folder": os.getcwd(),
        "stdin": sys.stdin.read(),
        "argv": len(sys.argv),
        "group": os.getpgrp() == os.getpid(),
    }


def chatter():
    print("to stdout: grüße")
    print("to stderr", file=sys.stderr)
    os.write(1, b"past Python\n")
    subprocess.run(["echo", "from a grandchild"], check=True)
    return "quiet"


def flood(megabytes):
    for _ in range(megabytes):
        sys.stdout.write("x" * (1 << 20))
    return megabytes


def fail(message):
    raise ValueError(message)


def type_error_inside():
    return "text" + 1


class Unreadable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def fail_unreadably():
    raise Unreadable


def leave():
    sys.exit("done here")


def leave_at_once(code):
    print("last words", file=sys.stderr)
    os._exit(code)


RESULTS = {
    "set": {"items": [1, {"a": 2}, {3}]},
    "bytes": {"a key": b""},
    "object": object(),
    "nan": [float("nan")],
    "infinity": {"low": float("-inf")},
    "number key": {"by_year": {2025: 1}},
    "half a character": {"text": "\ud800"},
    "half a character in a key": {"\ud800": 1},
}
RESULTS["circle"] = [RESULTS]


def not_json(kind):
    if kind == "circle":
        endless = []
        endless.append(endless)
        return endless
    return RESULTS[kind]


def nested(levels):
    value = 0
    for _ in range(levels):
        value = [value]
    return value


def text(length):
    return "ü" * length


def tuples():
    return ("a", ("b",))


def outcome(kind):
    from datetime import timedelta

    from procos.sdk import BpmnError, GiveUp, RetryLater

    class NoStock(BpmnError):
        pass

    outcomes = {
        "bpmn": BpmnError("NO_STOCK", "nothing left", variables={"left": 0}),
        "subclass": NoStock("NO_STOCK"),
        "later": RetryLater("busy", after=timedelta(minutes=2)),
        "give up": GiveUp("no such order"),
        "bad variables": BpmnError("NO_STOCK", variables={"left": {1}}),
    }
    raise outcomes[kind]


def allocate(megabytes):
    return len(bytearray(megabytes << 20))


def allocate_in_fork(megabytes):
    pid = os.fork()
    if pid == 0:
        try:
            bytearray(megabytes << 20)
        except MemoryError:
            os._exit(42)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def fork_and_return():
    return {"forked": os.fork() >= 0}


def burn():
    while True:
        pass


def kill_itself(name):
    os.kill(os.getpid(), getattr(signal, name))
    time.sleep(600)


def hold(lifeline):
    """Starts a grandchild that holds the lifeline, and never returns."""
    subprocess.run(["sh", "-c", f"exec > {lifeline}; echo held; sleep 600"], check=True)


def leave_behind(lifeline):
    """Returns while a grandchild still holds the lifeline."""
    with open(lifeline, "w") as file:
        subprocess.Popen(["sleep", "600"], stdout=file)
        file.write("held\n")
    return "returned"


def leave_thread():
    threading.Thread(target=time.sleep, args=(600,)).start()
    return "returned"


def print_and_burn():
    print("so far")
    burn()
