"""Which of two engine versions is the older one."""

import re

_NUMBERS = re.compile(r"\d+")


def is_older(version: str, other: str) -> bool:
    """Whether `version` comes before `other`; 8.7.0-alpha1 comes before 8.7.0."""
    return _rank(version) < _rank(other)


def _rank(version: str) -> tuple[list[int], bool, list[int], str]:
    release, _, preview = version.partition("-")
    return _numbers(release), not preview, _numbers(preview), preview


def _numbers(text: str) -> list[int]:
    return [int(number) for number in _NUMBERS.findall(text)]
