"""Starting a broker process: its command line, its environment, its settings."""

import os
import subprocess
import threading
from pathlib import Path

import psutil

from procos.adapters.embedded.folders import EngineFolders
from procos.adapters.embedded.options import EngineOptions
from procos.adapters.embedded.ports import LOOPBACK, Ports
from procos.adapters.embedded.running import HOME_ARGUMENT

LOG_CONFIGURATION = Path(__file__).with_name("log4j2.xml")

_KEPT = frozenset({"PATH", "HOME", "USER", "LOGNAME", "TZ", "LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"})
_KEPT_PREFIX = "LC_"


def launch(engine: Path, environment: dict[str, str], folders: EngineFolders) -> psutil.Process:
    """Starts the broker in a session of its own: neither Ctrl-C in the terminal nor our death reaches it.

    Raises:
        OSError: the program cannot be started.
    """
    with folders.output.open("wb") as output:
        child = subprocess.Popen(
            [engine / "bin" / "broker", f"{HOME_ARGUMENT}{folders.root}"],
            env=environment,
            cwd=folders.root,  # where the JVM leaves its crash reports
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process = psutil.Process(child.pid)
    # Collects the process when it ends while we live, so that it does not stay behind as a zombie.
    threading.Thread(target=child.wait, name=f"engine-{child.pid}", daemon=True).start()
    return process


def make_environment(
    options: EngineOptions, *, java_home: Path, ports: Ports, folders: EngineFolders
) -> dict[str, str]:
    """The broker's whole environment.

    Of the caller's it keeps only what programs need to run: Spring takes any variable for a setting, so that a stray
    `ZEEBE_BROKER_*`, `SERVER_PORT` or `JAVA_TOOL_OPTIONS` would change the engine without a word.
    """
    kept = {name: value for name, value in dict(os.environ).items() if name in _KEPT or name.startswith(_KEPT_PREFIX)}
    return (
        kept
        | dict(options.exporters_env)
        | {
            "JAVA_HOME": str(java_home),
            "JDK_JAVA_OPTIONS": _java_options(options.heap_mb, folders),
            "PROCOS_ENGINE_LOGS": str(folders.logs),
            "PROCOS_ENGINE_RECORDS": str(folders.records),
        }
        | _broker_settings(ports, folders)
        | _record_exporter()
        | ({"ZEEBE_CLOCK_CONTROLLED": "true"} if options.clock_controlled else {})
    )


def _java_options(heap_mb: int, folders: EngineFolders) -> str:
    # The variable that the java launcher itself reads keeps quoted spaces; the start script's JAVA_OPTS does not.
    return " ".join(
        [
            f"-Xmx{heap_mb}m",
            "-XX:+UseSerialGC",
            "--enable-native-access=ALL-UNNAMED",
            # Native libraries are unpacked there at every start; in the system's folder they would pile up after kills.
            f'-Djava.io.tmpdir="{folders.temporary}"',
            f'-Dlog4j2.configurationFile="{LOG_CONFIGURATION}"',
        ]
    )


def _broker_settings(ports: Ports, folders: EngineFolders) -> dict[str, str]:
    return {
        "ZEEBE_BROKER_DATA_DIRECTORY": str(folders.data),
        "ZEEBE_BROKER_NETWORK_HOST": LOOPBACK,
        "ZEEBE_BROKER_NETWORK_COMMANDAPI_PORT": str(ports.command),
        "ZEEBE_BROKER_NETWORK_INTERNALAPI_PORT": str(ports.internal),
        "ZEEBE_BROKER_GATEWAY_NETWORK_HOST": LOOPBACK,
        "ZEEBE_BROKER_GATEWAY_NETWORK_PORT": str(ports.gateway),
        "SERVER_ADDRESS": LOOPBACK,
        "SERVER_PORT": str(ports.rest),
        "MANAGEMENT_SERVER_ADDRESS": LOOPBACK,
        "MANAGEMENT_SERVER_PORT": str(ports.monitoring),
    }


def _record_exporter() -> dict[str, str]:
    # Configured at every start: what happens while an exporter is missing never reaches it.
    return {
        "ZEEBE_BROKER_EXPORTERS_RECORDS_CLASSNAME": "io.camunda.zeebe.broker.exporter.debug.DebugLogExporter",
        "ZEEBE_BROKER_EXPORTERS_RECORDS_ARGS_PRETTYPRINT": "false",
        "ZEEBE_BROKER_EXPORTERS_RECORDS_ARGS_LOGLEVEL": "info",
    }
