"""One at a time, and who waits is told."""

from datetime import timedelta
from pathlib import Path

import pytest

from procos.adapters.embedded.locks import exclusively
from procos.adapters.embedded.progress import silent
from procos.errors import EngineTimeout


def test_a_free_lock_is_taken_without_a_word(tmp_path: Path):
    told: list[str] = []
    with exclusively(tmp_path / "lock", waiting_for="waiting", progress=lambda *step: told.append(str(step))):
        pass
    assert told == []


def test_whoever_waits_too_long_gives_up_and_names_the_lock(tmp_path: Path):
    with (
        exclusively(tmp_path / "lock", waiting_for="", progress=silent),
        pytest.raises(EngineTimeout, match=r"gave up waiting for a test; the lock is .*/lock"),
        exclusively(tmp_path / "lock", waiting_for="waiting for a test", progress=silent, timeout=timedelta(0)),
    ):
        pass


def test_a_lock_is_free_again_after_an_error(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), exclusively(tmp_path / "lock", waiting_for="", progress=silent):
        1 / 0  # noqa: B018
    with exclusively(tmp_path / "lock", waiting_for="", progress=silent, timeout=timedelta(0)):
        pass
