"""pyzeebe's stubs come without the rest of it, and the rest can still be imported by whoever wants it."""

import subprocess
import sys

import pytest

_LOOK = "import sys; print([name for name in ('pyzeebe', 'requests', 'oauthlib') if name in sys.modules])"


def _printed(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("module", ["gateway", "jobs", "connection"])
def test_the_adapter_leaves_pyzeebe_itself_alone(module: str):
    assert _printed(f"import procos.adapters.zeebe.{module}; {_LOOK}") == "[]\n"


@pytest.mark.parametrize("first", ["procos.adapters.zeebe.protocol", "pyzeebe"])
def test_whoever_imports_pyzeebe_has_all_of_it_and_the_same_messages(first: str):
    code = f"""
import {first}
from procos.adapters.zeebe.protocol import pb
import pyzeebe.proto.gateway_pb2

assert pyzeebe.proto.gateway_pb2.TopologyRequest is pb.TopologyRequest
print(pyzeebe.ZeebeWorker.__name__)
"""
    assert _printed(code) == "ZeebeWorker\n"
