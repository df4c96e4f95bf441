"""One peer's turn: its process started, watched from outside, ended."""

import json
import os
import queue
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Self

import psutil

READY_S = 30
IMPORTS = str(Path(__file__).parents[1])


class Turn:
    """A peer at work, inside `with`; `ready` has been said when the block begins."""

    def __init__(
        self,
        command: list[str],
        *,
        gateway: str,
        rest: str,
        job_type: str,
        slots: int,
        mode: str,
        log: Path,
        handler_ms: int = 0,
        lease_s: float = 30,
        effects: Path | None = None,
    ) -> None:
        orders = [gateway, rest, job_type, slots, handler_ms, mode, round(lease_s * 1000), effects or "-"]
        self._command = [*command, *map(str, orders)]
        self.log = log
        self._said: queue.Queue[dict[str, Any]] = queue.Queue()
        self.end: dict[str, Any] = {}

    def __enter__(self) -> Self:
        environment = {**os.environ, "PYTHONPATH": IMPORTS, "TMPDIR": str(self.log.parent)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
            )
        self._seen = psutil.Process(self._process.pid)
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            self._wait_for("ready", READY_S)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        self._cpu_before = self._cpu()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._process.stdin.close()
            self.end = self._wait_for("end", 5)
            self._process.wait(5)
        except (OSError, TimeoutError, subprocess.TimeoutExpired):
            self.end = {"odd": "it did not end by itself"}
        finally:
            self._process.kill()
            self._process.wait()

    @property
    def is_alive(self) -> bool:
        """Whether the peer's process still runs."""
        return self._process.poll() is None

    def cpu_s(self) -> float:
        """Seconds of processor, user and system, since it was ready."""
        return self._cpu() - self._cpu_before if self.is_alive else float("nan")

    def resident_mb(self) -> float:
        """Resident memory now, in MB."""
        return self._seen.memory_info().rss / 1e6 if self.is_alive else float("nan")

    def _cpu(self) -> float:
        times = self._seen.cpu_times()
        return times.user + times.system

    def _listen(self) -> None:
        with self.log.open("a") as log:
            for line in self._process.stdout:
                try:
                    self._said.put(json.loads(line))
                except ValueError:
                    log.write(line)
        self._said.put({"event": "gone"})

    def _wait_for(self, event: str, seconds: float) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while True:
            try:
                said = self._said.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"{self._command[:2]} did not say '{event}' within {seconds:g} s") from None
            if said.get("event") == event:
                return said
            if said.get("event") == "gone":
                raise TimeoutError(f"{self._command[:2]} ended before it said '{event}'; see {self.log}")
