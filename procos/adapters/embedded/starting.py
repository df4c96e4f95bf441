"""Starting a broker and staying with it until it is ready; a failed start leaves no process behind."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil

from procos.adapters.embedded.ending import end
from procos.adapters.embedded.failure import EngineTraces, mend_for
from procos.adapters.embedded.folders import EngineFolders
from procos.adapters.embedded.launch import launch, make_environment
from procos.adapters.embedded.options import EngineOptions
from procos.adapters.embedded.ports import Ports, reserved_ports
from procos.adapters.embedded.progress import Progress
from procos.adapters.embedded.readiness import wait_until_ready
from procos.adapters.embedded.running import LaunchFacts, RunningEngine, describe, write_facts
from procos.errors import EngineError, EngineInstallError, EngineTimeout

_LAUNCHES = 3
"""A port may go to somebody else between our choosing it and the engine's taking it; then we choose again."""

_GRACE = timedelta(seconds=5)


class BrokerStart:
    """One start of the engine in `engine`, whose version is `version`, with a Java in `java_home`."""

    def __init__(
        self, options: EngineOptions, folders: EngineFolders, *, engine: Path, version: str, java_home: Path
    ) -> None:
        self._options = options
        self._folders = folders
        self._engine = engine
        self._version = version
        self._java_home = java_home

    def run(self, *, started_by: str, progress: Progress) -> RunningEngine:
        """Starts the broker and waits until it is ready.

        Raises:
            EngineInstallError: it ended; with its own reason.
            EngineTimeout: it did not become ready in time.
            EngineError: a pinned port is taken.
        """
        for _ in range(_LAUNCHES - 1):
            try:
                return self._launch(started_by, progress)
            except _PortLost:
                continue
        return self._launch(started_by, progress)

    def _launch(self, started_by: str, progress: Progress) -> RunningEngine:
        with reserved_ports(self._options) as ports:
            return self._launch_on(ports, started_by, progress)

    def _launch_on(self, ports: Ports, started_by: str, progress: Progress) -> RunningEngine:
        traces = EngineTraces(self._folders.log, self._folders.output)
        facts = LaunchFacts(
            pid=None, version=self._version, ports=ports, started_by=started_by, log_start=traces.log_start
        )
        # Written before there is a process: should we be killed now, the next start finds the broker and its ports.
        write_facts(self._folders, facts)
        with self._folders.writing():
            shutil.rmtree(self._folders.temporary)
            self._folders.temporary.mkdir()
        environment = make_environment(self._options, java_home=self._java_home, ports=ports, folders=self._folders)
        process = self._start_process(environment)
        try:
            return self._stay_with(process, replace(facts, pid=process.pid), traces, progress)
        except BaseException:
            end(process, _GRACE)
            self._folders.facts.unlink(missing_ok=True)
            raise

    def _stay_with(
        self, process: psutil.Process, facts: LaunchFacts, traces: EngineTraces, progress: Progress
    ) -> RunningEngine:
        write_facts(self._folders, facts)
        outcome = wait_until_ready(
            process,
            facts.ports,
            timeout=self._options.start_timeout,
            progress=progress,
            gave_up=traces.gave_up,
        )
        if outcome != "ready":
            raise self._failure(outcome, traces)
        self._folders.mark_data(self._version)
        try:
            return describe(process, facts, self._folders, adopted=False)
        except psutil.NoSuchProcess as error:
            raise self._failure("ended", traces) from error

    def _start_process(self, environment: dict[str, str]) -> psutil.Process:
        try:
            return launch(self._engine, environment, self._folders)
        except OSError as error:
            raise EngineInstallError(
                f"{self._engine / 'bin' / 'broker'} cannot be started: {error.strerror or error}",
                hint="check that file; or remove the engine's folder and run procos engine install",
            ) from error

    def _failure(self, outcome: str, traces: EngineTraces) -> EngineError:
        reason = traces.reason()
        if outcome == "ended" and traces.lost_port():
            return _PortLost(f"the engine could not start: {reason}", hint="try again")
        mend = mend_for(reason, heap_mb=self._options.heap_mb, log=self._folders.log)
        because = f": {reason}" if reason else ""
        if outcome == "ended":
            return EngineInstallError(f"engine {self._version} ended while it started{because}", hint=mend)
        seconds = self._options.start_timeout.total_seconds()
        return EngineTimeout(
            f"engine {self._version} did not become ready within {seconds:g} s and was stopped{because}",
            hint=f"give it more time (PROCOS_ENGINE_START_TIMEOUT), or {mend}",
        )


class _PortLost(EngineInstallError):
    """Somebody else took a port that was free when it was chosen."""
