"""A server that takes OTLP over HTTP, as an OpenTelemetry collector does, and keeps the spans."""

import contextlib
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.engine.loopback import QuietHandler, serving


@dataclass
class Collector:
    """What came in so far."""

    url: str = ""
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)

    def spans(self) -> list[Span]:
        """All spans, in the order in which they began."""
        resources = [resource for request in self.requests for resource in request.resource_spans]
        spans = [span for resource in resources for scope in resource.scope_spans for span in scope.spans]
        return sorted(spans, key=lambda span: span.start_time_unix_nano)


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """Collects for as long as the context lasts."""
    collector = Collector()

    class Handler(QuietHandler):
        def do_POST(self) -> None:  # noqa: N802 - the standard library's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            collector.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(Handler) as collector.url:
        yield collector
