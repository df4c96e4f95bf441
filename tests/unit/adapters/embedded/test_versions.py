"""Older and newer engine versions."""

import pytest

from procos.adapters.embedded.versions import is_older


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("8.5.8", "8.6.0"),
        ("8.5.8", "8.5.10"),
        ("8.9.0", "8.10.0"),
        ("8.7.0-alpha1", "8.7.0"),
        ("8.7.0-alpha2", "8.7.0-alpha10"),
        ("8.6.9", "8.7.0-alpha1"),
    ],
)
def test_the_older_version_is_older_and_the_newer_is_not(older: str, newer: str):
    assert is_older(older, newer)
    assert not is_older(newer, older)
    assert not is_older(older, older)
