"""Tests of TDEs, of workers and of code that steers an engine, without an engine."""

from procos.testing.clock import Clock, ManualClock, SystemClock
from procos.testing.engine.state import FakeIncident, FakeInstance
from procos.testing.fake_engine import FakeEngine
from procos.testing.harness import TdeHarness
from procos.testing.result import TdeResult
from procos.testing.running import workers

__all__ = [
    "TdeHarness", "TdeResult",
    "FakeEngine", "FakeInstance", "FakeIncident", "workers",
    "Clock", "ManualClock", "SystemClock",
]  # fmt: skip
