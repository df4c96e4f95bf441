"""Every span of the test process in memory; OpenTelemetry takes one provider in a process's life."""

import functools

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@functools.cache
def _exporter() -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


def no_spans_yet() -> None:
    """Sets the provider up, and forgets the spans of other tests."""
    _exporter().clear()


def spans() -> tuple[ReadableSpan, ...]:
    """The spans that have ended."""
    return _exporter().get_finished_spans()
