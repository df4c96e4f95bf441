"""The file TDE and the limits of the system under it: full disks, umask."""

import stat
from pathlib import Path

import pytest

from tests.unit.workers.file_caller import names
from tests.unit.workers.fresh_python import run_script


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def test_a_new_file_may_be_read_by_all_unless_the_umask_forbids(root):
    script = f"""
import os
from pathlib import Path
from procos_workers.file import file
from procos_workers.file_task import FileConfig, FileInput
from tests.unit.workers.context import task_context
root = Path({str(root)!r})
for name, umask in (("a", 0o000), ("b", 0o027)):
    os.umask(umask)
    file(FileInput(operation="write", path=f"new{{name}}/{{name}}", content="x"),
         task_context(FileConfig(roots=[root]), root))
"""
    run_script(script)
    modes = [stat.S_IMODE((root / path).stat().st_mode) for path in ("newa", "newa/a", "newb", "newb/b")]
    assert modes == [0o755, 0o644, 0o750, 0o640]


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(root):
    (root / "a").write_text("old")
    failed = run_script(_limited(root, "write"))
    assert "FileFailed: write a: no space is left for " in failed
    assert "What was there before is unchanged" in failed
    assert (root / "a").read_text() == "old"
    assert names(root) == ["a"]


def test_an_append_that_fails_leaves_the_old_content(root):
    (root / "a").write_text("old")
    assert "FileFailed: append a: no space is left" in run_script(_limited(root, "append"))
    assert (root / "a").read_text() == "old"


def _limited(root: Path, operation: str) -> str:
    return f"""
import resource
from pathlib import Path
from procos_workers.file import file
from procos_workers.file_task import FileConfig, FileInput
from tests.unit.workers.context import task_context
root = Path({str(root)!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    file(FileInput(operation={operation!r}, path="a", content="x" * 300_000),
         task_context(FileConfig(roots=[root]), root.parent / "data"))
except Exception as error:
    print(type(error).__name__ + ": " + str(error))
"""
