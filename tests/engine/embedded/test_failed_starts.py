"""Starts that fail: each says why, and none leaves a process behind."""

import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from procos.adapters.embedded import EmbeddedEngine, EngineOptions
from procos.errors import EngineInstallError, EngineTimeout

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(
    ("heap_mb", "reason"),
    [(1, "Too small maximum heap"), (99_999_999, "Could not reserve enough space"), (24, "OutOfMemoryError")],
)
def test_a_heap_that_does_not_suit_is_told_with_the_setting(
    home: Path, cache: Path, left_of: Callable[[Path], list[int]], heap_mb: int, reason: str
):
    engine = EmbeddedEngine(EngineOptions(home=home, cache=cache, heap_mb=heap_mb))
    with pytest.raises(EngineInstallError, match=rf"engine 8\.6\.0 ended while it started: .*{reason}") as caught:
        engine.start(started_by="test")
    assert f"another heap than {heap_mb} MiB (PROCOS_ENGINE_HEAP_MB" in str(caught.value.hint)
    assert engine.status() is None
    assert left_of(home) == []


def test_an_engine_that_is_not_ready_in_time_is_stopped(home: Path, cache: Path, left_of: Callable[[Path], list[int]]):
    engine = EmbeddedEngine(EngineOptions(home=home, cache=cache, start_timeout=timedelta(milliseconds=500)))
    with pytest.raises(EngineTimeout, match=r"did not become ready within 0\.5 s and was stopped") as caught:
        engine.start(started_by="test")
    assert "PROCOS_ENGINE_START_TIMEOUT" in str(caught.value.hint)
    assert left_of(home) == []


def test_an_engine_that_hangs_and_ignores_the_request_to_end_is_killed(
    home: Path, cache: Path, processes_of: Callable[[Path], list[int]], left_of: Callable[[Path], list[int]]
):
    engine = EmbeddedEngine(EngineOptions(home=home, cache=cache, start_timeout=timedelta(seconds=1)))

    def hang(step: str, done: int, total: int) -> None:
        for pid in processes_of(home):
            psutil.Process(pid).send_signal(signal.SIGSTOP)

    with pytest.raises(EngineTimeout):
        engine.start(started_by="test", progress=hang)
    assert left_of(home) == []


def test_what_progress_raises_ends_the_start_and_the_engine(
    engine: EmbeddedEngine, home: Path, left_of: Callable[[Path], list[int]]
):
    class Ended(Exception):
        pass

    def end(step: str, done: int, total: int) -> None:
        if step == "waiting for the engine to become ready":
            raise Ended

    with pytest.raises(Ended):
        engine.start(started_by="test", progress=end)
    assert left_of(home) == []
    assert engine.status() is None
