"""What a broker process is given."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_SHOW = """
import json, sys
from pathlib import Path
from procos.adapters.embedded import EngineOptions
from procos.adapters.embedded.folders import EngineFolders
from procos.adapters.embedded.launch import make_environment
from procos.adapters.embedded.ports import Ports
home = Path(sys.argv[1])
options = EngineOptions(home=home, cache=home, **json.loads(sys.argv[2]))
folders = EngineFolders(home)
print(json.dumps(make_environment(options, java_home=Path("/java"), ports=Ports(rest=1234), folders=folders)))
"""


@pytest.fixture
def environment_of(tmp_path: Path):
    def show(options: dict[str, Any], **variables: str) -> dict[str, str]:
        done = subprocess.run(
            [sys.executable, "-c", _SHOW, str(tmp_path), json.dumps(options)],
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONPATH": ":".join(sys.path), **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        environment: dict[str, str] = json.loads(done.stdout)
        return environment

    return show


@pytest.mark.parametrize(
    "variable",
    [
        "ZEEBE_BROKER_NETWORK_HOST",
        "SERVER_PORT",
        "JAVA_OPTS",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "CLASSPATH_PREFIX",
        "LOG4J_CONFIGURATION_FILE",
        "SPRING_PROFILES_ACTIVE",
        "LOGGING_LEVEL_ROOT",
    ],
)
def test_a_stray_variable_of_the_caller_does_not_reach_the_engine(environment_of, variable: str):
    assert "from-outside" not in environment_of({}, **{variable: "from-outside"}).get(variable, "")


def test_what_programs_need_to_run_is_kept(environment_of):
    environment = environment_of({}, TZ="Europe/Berlin")
    assert (environment["PATH"], environment["LC_ALL"], environment["TZ"]) == (
        "/usr/bin:/bin",
        "C.UTF-8",
        "Europe/Berlin",
    )


def test_everything_listens_on_loopback_on_the_chosen_ports(environment_of):
    environment = environment_of({})
    hosts = (
        "ZEEBE_BROKER_NETWORK_HOST",
        "ZEEBE_BROKER_GATEWAY_NETWORK_HOST",
        "SERVER_ADDRESS",
        "MANAGEMENT_SERVER_ADDRESS",
    )
    assert {environment[name] for name in hosts} == {"127.0.0.1"}
    assert (environment["SERVER_PORT"], environment["ZEEBE_BROKER_GATEWAY_NETWORK_PORT"]) == ("1234", "26500")


def test_the_heap_and_quoted_paths_reach_java(environment_of, tmp_path: Path):
    java_options = environment_of({"heap_mb": 321})["JDK_JAVA_OPTIONS"]
    assert "-Xmx321m" in java_options
    assert f'-Djava.io.tmpdir="{tmp_path}/engine/tmp"' in java_options


def test_further_exporters_are_configured_but_the_record_log_stays_as_it_is(environment_of):
    environment = environment_of(
        {
            "exporters_env": {
                "ZEEBE_BROKER_EXPORTERS_REDIS_CLASSNAME": "io.zeebe.redis.exporter.RedisExporter",
                "ZEEBE_BROKER_EXPORTERS_RECORDS_CLASSNAME": "another",
            }
        }
    )
    assert environment["ZEEBE_BROKER_EXPORTERS_REDIS_CLASSNAME"] == "io.zeebe.redis.exporter.RedisExporter"
    assert environment["ZEEBE_BROKER_EXPORTERS_RECORDS_CLASSNAME"].endswith(".DebugLogExporter")


def test_the_clock_is_controlled_only_on_request(environment_of):
    assert "ZEEBE_CLOCK_CONTROLLED" not in environment_of({})
    assert environment_of({"clock_controlled": True})["ZEEBE_CLOCK_CONTROLLED"] == "true"
