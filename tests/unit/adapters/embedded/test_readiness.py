"""When a broker counts as ready; a small web server answers in its place."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest

from procos.adapters.embedded.ports import Ports
from procos.adapters.embedded.progress import silent
from procos.adapters.embedded.readiness import Outcome, wait_until_ready

LEADER = {"partitionId": 1, "role": "leader", "health": "healthy"}


def topology(*partitions: dict[str, object]) -> bytes:
    return json.dumps({"brokers": [{"nodeId": 0, "partitions": partitions}], "partitionsCount": 1}).encode()


@dataclass
class Answers:
    """What the server answers, by path; other paths are not found."""

    port: int
    pages: dict[str, bytes] = field(default_factory=dict)

    def outcome(self, process: psutil.Process | None = None) -> Outcome:
        ports = Ports(gateway=self.port, rest=self.port, monitoring=self.port)
        return wait_until_ready(
            process or psutil.Process(), ports, timeout=timedelta(milliseconds=300), progress=silent
        )


@pytest.fixture
def answers() -> Iterator[Answers]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = given.pages.get(self.path)
            self.send_response(404 if page is None else 200)
            self.end_headers()
            self.wfile.write(page or b"")

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    given = Answers(server.server_port, {"/actuator/health/readiness": b"{}"})
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield given
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", ["/v2/topology", "/v1/topology"])
def test_a_broker_is_ready_when_it_says_so_and_its_partition_has_a_leader(answers: Answers, path: str):
    answers.pages[path] = topology(LEADER)
    assert answers.outcome() == "ready"


@pytest.mark.parametrize("partitions", [(), ({**LEADER, "role": "follower"},), ({**LEADER, "health": "unhealthy"},)])
def test_a_broker_without_a_healthy_leader_is_not_ready(answers: Answers, partitions: tuple[dict[str, object], ...]):
    answers.pages["/v2/topology"] = topology(*partitions)
    assert answers.outcome() == "timeout"


@pytest.mark.parametrize(
    "nothing", [b'{"brokers": [{"nodeId": 0}], "partitionsCount": 1}', b'{"brokers": [], "partitionsCount": 0}']
)
def test_a_gateway_that_knows_no_partitions_yet_is_not_ready(answers: Answers, nothing: bytes):
    answers.pages["/v2/topology"] = nothing
    assert answers.outcome() == "timeout"


def test_a_broker_that_does_not_call_itself_ready_is_not(answers: Answers):
    answers.pages = {"/v2/topology": topology(LEADER)}
    assert answers.outcome() == "timeout"


def test_the_answer_of_another_process_on_its_port_does_not_count(answers: Answers):
    answers.pages["/v2/topology"] = topology(LEADER)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as broker:
        assert answers.outcome(psutil.Process(broker.pid)) == "timeout"
        broker.kill()


def test_a_broker_that_ended_is_not_waited_for(answers: Answers):
    with subprocess.Popen([sys.executable, "-c", ""]) as broker:
        process = psutil.Process(broker.pid)
        broker.wait()
        assert answers.outcome(process) == "ended"


def test_a_broker_that_gave_up_is_not_waited_for(answers: Answers):
    outcome = wait_until_ready(
        psutil.Process(), Ports(), timeout=timedelta(seconds=60), progress=silent, gave_up=lambda: True
    )
    assert outcome == "ended"
