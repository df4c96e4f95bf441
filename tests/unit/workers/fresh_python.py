"""Runs a script in a Python of its own, where it may change its environment, its limits or its user."""

import os
import subprocess
import sys
from pathlib import Path

_PROJECT = Path(__file__).parents[3]


def run_script(script: str, **environment: str) -> str:
    """What the script printed; fails when it fails."""
    known = {**os.environ, "PYTHONPATH": f"{_PROJECT}:{_PROJECT / 'workers'}", **environment}
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, env=known, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
