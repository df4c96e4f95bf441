"""Spans: one per job, in the trace of its process instance; next to free where no OpenTelemetry SDK is set up."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACE_VARIABLE: Final = "traceparent"
"""The process variable that carries an instance's trace, in the form of W3C Trace Context."""

_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("procos")


def is_on() -> bool:
    """Whether anybody has set up where spans go."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@contextlib.contextmanager
def job_span(name: str, *, traceparent: object, correlation_id: str, attributes: Mapping[str, Any]) -> Iterator[Span]:
    """A span for one job. It continues the trace of `traceparent`; without one, that which `correlation_id` stands for.

    The second is made from the id alone, so that all jobs of one run share it whoever works on them.
    """
    parent = _carried(traceparent) or _derived(correlation_id)
    with _tracer.start_as_current_span(
        name, context=parent, kind=SpanKind.CONSUMER, attributes=dict(attributes), record_exception=False
    ) as span:
        yield span


def mark_failed(span: Span, reason: str) -> None:
    """Says in the span that its job did not work."""
    span.set_status(StatusCode.ERROR, reason)


def current_trace() -> Mapping[str, str]:
    """`traceId` and `spanId` of what runs now, in hexadecimal; empty outside of any span."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"traceId": trace.format_trace_id(context.trace_id), "spanId": trace.format_span_id(context.span_id)}


def _carried(traceparent: object) -> Context | None:
    if not isinstance(traceparent, str):
        return None
    context = _propagator.extract({"traceparent": traceparent}, Context())
    return context if trace.get_current_span(context).get_span_context().is_valid else None


def _derived(correlation_id: str) -> Context:
    digest = hashlib.sha256(correlation_id.encode("utf-8", "surrogatepass")).digest()
    trace_id, span_id = int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])
    parent = SpanContext(trace_id or 1, span_id or 1, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())
