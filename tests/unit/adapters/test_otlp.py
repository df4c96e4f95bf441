"""Spans that leave the process, seen by a collector of the test's own."""

import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from procos.adapters.otlp import sending_spans
from procos.errors import SettingsError

PROGRAM = """
from procos.adapters.otlp import sending_spans
from procos.telemetry.tracing import job_span
with sending_spans({endpoint!r}, version="1.2.3"):
    with job_span("tde some", traceparent=None, correlation_id="c-9", attributes={{"procos.jobKey": 7}}):
        pass
"""


def run(endpoint: str, tmp_path) -> subprocess.CompletedProcess[str]:
    """Makes one span in a process of its own: OpenTelemetry takes one provider in a process's life."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(PROGRAM).format(endpoint=endpoint)],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.fixture
def collector():
    """A collector; gives its URL, and the paths and requests that it got."""
    got: list[tuple[str, ExportTraceServiceRequest]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            import gzip

            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            got.append((self.path, ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", got
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("slash", ["", "/"])
def test_spans_reach_the_collector_before_the_process_ends(collector, slash, tmp_path):
    url, got = collector
    done = run(url + slash, tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    ((path, request),) = got
    (resource_spans,) = request.resource_spans
    (span,) = resource_spans.scope_spans[0].spans
    named = {attribute.key: attribute.value.string_value for attribute in resource_spans.resource.attributes}
    assert path == "/v1/traces"
    assert (span.name, span.attributes[0].key, span.attributes[0].value.int_value) == ("tde some", "procos.jobKey", 7)
    assert (named["service.name"], named["service.version"]) == ("procos", "1.2.3")


def test_a_collector_that_is_away_costs_spans_and_nothing_else(tmp_path):
    done = run("http://127.0.0.1:9", tmp_path)

    assert done.returncode == 0


def test_without_an_endpoint_nothing_is_set_up():
    from opentelemetry import trace

    before = trace.get_tracer_provider()
    with sending_spans(None, version="1"):
        assert trace.get_tracer_provider() is before


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector:4317", "", "http://", "http://[::1"])
def test_what_is_no_url_is_refused_with_how_it_should_look(endpoint):
    with pytest.raises(SettingsError) as caught, sending_spans(endpoint, version="1"):
        pass

    assert caught.value.message == f"setting otlp_endpoint = {endpoint!r} is no URL"
    assert "http://HOST:4318" in (caught.value.hint or "")
