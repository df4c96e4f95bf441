"""Reading the reason of a failed start from what Zeebe and Java really wrote."""

from pathlib import Path

import pytest

from procos.adapters.embedded.failure import EngineTraces, mend_for

_PORT_LOST = """\
2026-11-22 10:32:15.602 [netty-0] WARN  io.atomix.cluster.X - Failed to bind: bind(..) failed: Address already in use
2026-11-22 10:32:17.419 [main] ERROR io.camunda.zeebe.broker.system - Failed to start broker 0!
java.util.concurrent.ExecutionException: Startup failed in the following steps: [Cluster Services].
\tat io.camunda.Broker.start(Broker.java:1)
Caused by: io.camunda.zeebe.scheduler.startup.StartupProcessException: Startup failed
\tSuppressed: io.camunda.zeebe.scheduler.startup.StartupProcessStepException: Bootstrap step failed
\tCaused by: java.util.CompletionException: io.netty.X$NativeIoException: bind(..) failed: Address already in use
2026-11-22 10:32:17.469 [main] INFO  org.apache.catalina.core.StandardService - Stopping service [Tomcat]
2026-11-22 10:32:17.559 [main] ERROR org.springframework.boot.SpringApplication - Application run failed
Caused by: java.lang.IllegalStateException: no
"""
_WEB_PORT_LOST = """\
2026-11-22 10:43:35.569 [main] ERROR o.s.b.d.LoggingFailureAnalysisReporter - \n
***************************
APPLICATION FAILED TO START
***************************

Description:

Web server failed to start. Port 9600 was already in use.

Action:

Identify and stop the process that's listening on port 9600.
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "engine.log"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "broker.out"


def test_of_an_error_in_the_log_the_message_and_its_innermost_cause_are_told(log: Path, output: Path):
    traces = EngineTraces(log, output)
    log.write_text(_PORT_LOST)
    assert traces.reason() == (
        "Failed to start broker 0!; X$NativeIoException: bind(..) failed: Address already in use;"
        " Application run failed; IllegalStateException: no"
    )
    assert traces.lost_port()
    assert traces.gave_up()


def test_an_error_that_is_explained_in_a_paragraph_is_told_with_it(log: Path, output: Path):
    traces = EngineTraces(log, output)
    log.write_text(_WEB_PORT_LOST)
    assert traces.reason() == "Web server failed to start. Port 9600 was already in use."
    assert traces.lost_port()


def test_what_earlier_runs_logged_is_not_this_one_s_reason(log: Path, output: Path):
    log.write_text(_PORT_LOST)
    traces = EngineTraces(log, output)
    assert (traces.reason(), traces.lost_port(), traces.gave_up()) == ("", False, False)


def test_a_log_that_was_rolled_over_is_read_from_its_start(log: Path, output: Path):
    log.write_text("x" * 10_000)
    traces = EngineTraces(log, output)
    log.write_text(_WEB_PORT_LOST)
    assert "Port 9600" in traces.reason()


def test_what_java_says_when_it_gives_up_is_told_without_its_warnings(log: Path, output: Path):
    traces = EngineTraces(log, output)
    output.write_text(
        "NOTE: Picked up JDK_JAVA_OPTIONS: -Xmx1m\nWARNING: a method was called\n"
        "Error occurred during initialization of VM\nToo small maximum heap\n"
    )
    assert traces.reason() == "Error occurred during initialization of VM; Too small maximum heap"


@pytest.mark.parametrize(
    ("reason", "mend"),
    [
        ("Terminating due to java.lang.OutOfMemoryError: Java heap space", "PROCOS_ENGINE_HEAP_MB"),
        ("write failed: No space left on device", "free some space"),
        ("something else", "look into"),
    ],
)
def test_the_mend_fits_the_reason(log: Path, reason: str, mend: str):
    assert mend in mend_for(reason, heap_mb=1, log=log)
