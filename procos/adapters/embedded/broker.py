"""The embedded engine of one home: install, start or adopt, look at, stop."""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil

from procos.adapters.embedded.distribution import install, installed, read_version
from procos.adapters.embedded.ending import end
from procos.adapters.embedded.failure import EngineTraces
from procos.adapters.embedded.folders import EngineFolders
from procos.adapters.embedded.java import find_java
from procos.adapters.embedded.locks import exclusively
from procos.adapters.embedded.options import EngineOptions
from procos.adapters.embedded.ports import pinned_ports, refuse_unusable_pins
from procos.adapters.embedded.progress import Progress, silent
from procos.adapters.embedded.readiness import wait_until_ready
from procos.adapters.embedded.running import (
    LaunchFacts,
    RunningEngine,
    describe,
    find_process,
    read_facts,
    write_facts,
)
from procos.adapters.embedded.starting import BrokerStart
from procos.errors import EngineError, EngineTimeout

_GRACE = timedelta(seconds=30)
_STOP_FIRST = "stop it with procos engine stop, then start again"


class EmbeddedEngine:
    """The one engine that a home has; its broker outlives whoever started it, until somebody stops it."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._folders = EngineFolders(options.home)

    @property
    def log_path(self) -> Path:
        """The engine's log."""
        return self._folders.log

    @property
    def record_log_path(self) -> Path:
        """The newest file of the record log; full ones lie next to it as records-N.jsonl."""
        return self._folders.record_log

    @property
    def data_id(self) -> str:
        """Tells the engine's data from any other, such as that of an engine which was here before it."""
        return self._folders.data_id()

    def install(self, progress: Progress | None = None) -> Path:
        """The folder of the engine, fetched first when it is not there.

        Raises:
            UsageError: the version is not known, or the given engine home holds no engine.
            EngineInstallError: fetching, checking or unpacking failed.
            MissingExtraError: a fetch is needed, and the library for it is not installed.
        """
        if self._options.engine_home is not None:
            read_version(self._options.engine_home)
            return self._options.engine_home
        return install(
            self._options.version,
            cache=self._options.cache,
            repository=self._options.maven_repository,
            progress=progress or silent,
        )

    def start(self, *, started_by: str, progress: Progress | None = None) -> RunningEngine:
        """The running engine: the one that this home has already, else a new one, ready for work.

        `started_by` is kept for whoever asks later. What `progress` raises ends the start, and the new broker with it.

        Raises:
            EngineInstallError: it cannot be installed or does not start; with the engine's own reason.
            EngineTimeout: it is not ready in time, or somebody else keeps this home's lock.
            EngineError: a pinned port is taken, the data belongs to a newer engine, the home cannot be written, or
                another version runs in this home.
            MissingExtraError: no Java that is new enough is there.
        """
        watched = progress or silent
        version = self._version()
        self._folders.prepare()
        if find_process(self._folders) is None:
            # What would make the start fail is told before a long fetch, not after it.
            self._folders.refuse_older(version)
            find_java(self._options.java_home)
            refuse_unusable_pins(self._options)
            self.install(watched)
        with self._locked(watched):
            return self._adopt(version, watched) or self._start_new(version, started_by, watched)

    def status(self) -> RunningEngine | None:
        """The broker of this home that is alive, ready or not, whoever started it; it counts as adopted."""
        process = find_process(self._folders)
        facts = read_facts(self._folders)
        if process is None or facts is None:
            return None
        try:
            return describe(process, facts, self._folders, adopted=True)
        except psutil.NoSuchProcess:
            return None

    def stop(self, grace: timedelta = _GRACE) -> bool:
        """Ends this home's broker, by SIGKILL when SIGTERM has not done it within `grace`; False when none was there.

        Raises:
            EngineError: the broker belongs to another user, or the home cannot be written.
            EngineTimeout: it does not end, or somebody else keeps this home's lock.
        """
        if not self._folders.root.is_dir():
            return False
        with self._locked(silent):
            process = find_process(self._folders)
            if process is not None:
                end(process, grace)
            with self._folders.writing():
                self._folders.facts.unlink(missing_ok=True)
            return process is not None

    def tail(self, lines: int) -> list[str]:
        """The last `lines` lines of the engine's log; none when there is no log."""
        if not self.log_path.is_file():
            return []
        with self.log_path.open(encoding="utf-8", errors="replace") as log:
            return [line.rstrip("\n") for line in deque(log, maxlen=lines)]

    def _version(self) -> str:
        if self._options.engine_home is not None:
            return read_version(self._options.engine_home)
        installed(self._options.version, cache=self._options.cache)  # refuses an unknown version
        return self._options.version

    @contextmanager
    def _locked(self, progress: Progress) -> Iterator[None]:
        with ExitStack() as stack:
            with self._folders.writing():
                lock = exclusively(
                    self._folders.lock,
                    waiting_for="waiting for another start or stop in this home",
                    progress=progress,
                    timeout=self._options.start_timeout + _GRACE,
                )
                stack.enter_context(lock)
            yield

    def _start_new(self, version: str, started_by: str, progress: Progress) -> RunningEngine:
        self._folders.refuse_older(version)
        java_home = find_java(self._options.java_home)
        engine = self.install(progress)
        start = BrokerStart(self._options, self._folders, engine=engine, version=version, java_home=java_home)
        return start.run(started_by=started_by, progress=progress)

    def _adopt(self, version: str, progress: Progress) -> RunningEngine | None:
        process = find_process(self._folders)
        facts = read_facts(self._folders)
        if process is None:
            return None
        if facts is None:  # somebody removed engine.json, so nobody knows where the broker listens
            end(process, _GRACE)
            return None
        self._refuse_different(process.pid, facts, version)
        traces = EngineTraces(self._folders.log, self._folders.output, log_start=facts.log_start)
        outcome = wait_until_ready(
            process,
            facts.ports,
            timeout=self._options.start_timeout,
            progress=progress,
            gave_up=traces.gave_up,
        )
        if outcome == "timeout":
            raise EngineTimeout(
                f"this home's engine (process {process.pid}) runs, but does not become ready", hint=_STOP_FIRST
            )
        if outcome == "ended":  # or it gave up, after its starter had been killed: then it may hang for ever
            end(process, _GRACE)
            return None
        # Its starter may have been killed before it could note all this.
        write_facts(self._folders, replace(facts, pid=process.pid))
        self._folders.mark_data(facts.version)
        return describe(process, facts, self._folders, adopted=True)

    def _refuse_different(self, pid: int, facts: LaunchFacts, version: str) -> None:
        if facts.version != version:
            raise EngineError(
                f"engine {facts.version} runs in this home (process {pid}), and {version} was asked for",
                hint=f"{_STOP_FIRST}, or use --engine-version {facts.version}",
            )
        for name, port in pinned_ports(self._options).items():
            actual = getattr(facts.ports, name)
            if port != actual:
                raise EngineError(
                    f"this home's engine (process {pid}) runs already with its {name} server on port {actual}, not on"
                    f" {port}",
                    hint=_STOP_FIRST,
                )
