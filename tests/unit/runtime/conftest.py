"""What the tests of the worker runtime share."""

import pytest

from procos.runtime import stream_reader


@pytest.fixture(autouse=True)
def _streams_fall_silent_soon(monkeypatch):
    """Each worker reads its stream empty at its end; in memory nothing is long on its way."""
    monkeypatch.setattr(stream_reader, "EMPTY_AFTER_S", 0.03)
