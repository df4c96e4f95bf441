"""What every peer written in Python is told and what it says; the Java and the Node peer read and say the same."""

import json
import os
import sys
import threading
from dataclasses import dataclass, field


@dataclass
class Orders:
    """The command line of a peer: GATEWAY REST TYPE SLOTS HANDLER_MS MODE LEASE_MS EFFECTS (`-`: keep none)."""

    gateway: str
    rest: str
    job_type: str
    slots: int
    handler_s: float
    mode: str
    lease_ms: int
    effects: str
    _log: int = -1
    _at_once: int = 0
    _most_at_once: int = 0
    _handled: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def read(cls) -> "Orders":
        gateway, rest, job_type, slots, handler_ms, mode, lease_ms, effects = sys.argv[1:]
        orders = cls(gateway, rest, job_type, int(slots), int(handler_ms) / 1000, mode, int(lease_ms), effects)
        if effects != "-":
            orders._log = os.open(effects, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        threading.Thread(target=orders._wait_for_the_end, daemon=True).start()
        return orders

    def begin(self) -> None:
        """A handler begins."""
        self._at_once += 1
        self._most_at_once = max(self._most_at_once, self._at_once)

    def end(self, job_key: object) -> None:
        """A handler has done its work: this is the effect that must happen once."""
        if self._log >= 0:
            os.write(self._log, f"{job_key}\n".encode())
        self._at_once -= 1
        self._handled += 1

    @staticmethod
    def ready() -> None:
        """The peer asks for jobs from now on."""
        print(json.dumps({"event": "ready"}), flush=True)

    def _wait_for_the_end(self) -> None:
        # The harness closes our stdin once it has seen all it wants; whatever still runs then is cut off.
        sys.stdin.read()
        print(json.dumps({"event": "end", "handled": self._handled, "most_at_once": self._most_at_once}), flush=True)
        os._exit(0)
