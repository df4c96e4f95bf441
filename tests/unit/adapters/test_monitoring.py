"""`/healthz`, `/readyz` and `/metrics` over HTTP."""

import contextlib
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from procos.adapters import monitoring
from procos.adapters.monitoring import MonitoringServer
from procos.errors import SettingsError
from procos.telemetry.metrics import WorkerMetrics

HOST = "127.0.0.1"


@dataclass
class Health:
    """What a test says it is."""

    dead: dict[str, str] = field(default_factory=dict)
    unready: dict[str, str] = field(default_factory=dict)

    def not_alive(self) -> dict[str, str]:
        return self.dead

    def not_ready(self) -> dict[str, str]:
        return self.unready


def get(server: MonitoringServer, path: str) -> tuple[int, str, str]:
    """Status, content type and body."""
    try:
        with urllib.request.urlopen(f"http://{server.address}{path}", timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[MonitoringServer, Health]]:
    """One server for those tests that only ask; `shutdown` takes half a second."""
    health = Health()
    with MonitoringServer(health, host=HOST, port=free_port()) as server:
        yield server, health


@pytest.fixture
def asked(served):
    server, health = served
    health.dead, health.unready = {}, {}
    return server, health


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        yield int(other.getsockname()[1])


# What it answers


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_process_that_is_well_is_said_to_be_so(asked, path):
    server, _ = asked
    status, kind, body = get(server, path)

    assert (status, kind, json.loads(body)) == (200, "application/json", {"status": "well"})


def test_a_process_that_should_be_started_again_says_why(asked):
    server, health = asked
    health.dead = {"event loop": "it has been blocked for 12 s"}
    status, kind, body = get(server, "/healthz")

    assert (status, kind) == (503, "application/json")
    assert json.loads(body) == {"status": "not well", "reasons": health.dead}


def test_a_process_without_jobs_is_alive_and_not_ready(asked):
    server, health = asked
    health.unready = {"tde.ä": "the engine is away"}

    assert get(server, "/healthz")[0] == 200
    status, _, body = get(server, "/readyz")
    assert (status, json.loads(body)["reasons"]) == (503, {"tde.ä": "the engine is away"})


@pytest.mark.parametrize("path", ["/", "/health", "/metrics/", "/%C3%A4", "/healthz/../x"])
def test_what_there_is_not_is_404_and_names_what_there_is(asked, path):
    server, _ = asked
    status, kind, body = get(server, path)

    assert (status, kind) == (404, "application/json")
    assert json.loads(body)["there are"] == ["/healthz", "/readyz", "/metrics"]


def test_a_query_does_not_matter(asked):
    server, _ = asked
    assert get(server, "/healthz?verbose=1")[0] == 200


def test_metrics_show_the_jobs_in_prometheus_words(asked):
    server, _ = asked
    WorkerMetrics("tde.shown").count("completed")
    status, kind, body = get(server, "/metrics")

    assert (status, kind.split(";")[0]) == (200, "text/plain")
    assert 'procos_jobs_total{job_type="tde.shown",outcome="completed"} 1.0' in body.splitlines()


def test_probes_are_not_printed(asked, capfd):
    server, _ = asked
    get(server, "/healthz")

    assert capfd.readouterr() == ("", "")


def test_a_defect_in_a_health_question_is_an_answer_and_the_next_is_served(asked):
    server, health = asked
    health.dead = 7  # type: ignore[assignment]
    status, _, _ = get(server, "/healthz")
    health.dead = {}

    assert status == 500
    assert get(server, "/healthz")[0] == 200


def test_a_caller_who_says_nothing_does_not_hold_up_the_others(asked):
    server, _ = asked
    host, _, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port))):
        assert get(server, "/healthz")[0] == 200


# Where it listens


def test_the_address_is_where_it_listens_and_it_ends_with_the_context():
    port = free_port()
    with MonitoringServer(Health(), host=HOST, port=port) as server:
        assert server.address == f"{HOST}:{port}"
        assert get(server, "/healthz")[0] == 200
    with pytest.raises(OSError, match="refused"):
        get(server, "/healthz")


def test_an_ipv6_host_is_served_and_its_address_is_in_brackets():
    try:
        with MonitoringServer(Health(), host="::1", port=free_port()) as server:
            assert server.address.startswith("[::1]:")
            assert get(server, "/healthz")[0] == 200
    except SettingsError:
        pytest.skip("this machine has no IPv6")


def test_a_taken_port_that_was_asked_for_is_said_so():
    with taken_port() as port, pytest.raises(SettingsError) as caught:
        MonitoringServer(Health(), host=HOST, port=port)

    assert caught.value.message == (
        f"setting monitoring_port = {port}: {HOST}:{port} cannot be listened on: Address already in use"
    )
    assert "choose another port" in (caught.value.hint or "")


def test_where_the_usual_port_is_taken_a_free_one_serves(monkeypatch):
    with taken_port() as port:
        monkeypatch.setattr(monitoring, "USUAL_PORT", port)
        with MonitoringServer(Health(), host=HOST, port=None) as server:
            assert server.address != f"{HOST}:{port}"
            assert get(server, "/healthz")[0] == 200


def test_the_usual_port_serves_where_it_is_free(monkeypatch):
    port = free_port()
    monkeypatch.setattr(monitoring, "USUAL_PORT", port)
    with MonitoringServer(Health(), host=HOST, port=None) as server:
        assert server.address == f"{HOST}:{port}"


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host", "::ffff:ffff:ffff:ffff"])
@pytest.mark.parametrize("port", [None, 9464])
def test_a_host_that_is_not_this_machines_is_said_so(host, port):
    with pytest.raises(SettingsError) as caught:
        MonitoringServer(Health(), host=host, port=port)

    assert host in caught.value.message
    assert "cannot be listened on" in caught.value.message
