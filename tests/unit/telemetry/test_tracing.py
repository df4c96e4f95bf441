"""Spans: one per job, in the trace of its process instance."""

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from procos.telemetry.tracing import current_trace, job_span, mark_failed
from tests.unit.telemetry.spans import no_spans_yet, spans

CARRIED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def _fresh():
    no_spans_yet()


def made(correlation_id: str = "c-9", traceparent: object = None):
    """The context of a span for such a job."""
    with job_span("tde some", traceparent=traceparent, correlation_id=correlation_id, attributes={"procos.jobKey": 7}):
        pass
    return spans()[-1]


def test_a_span_has_the_name_and_the_attributes_that_it_is_given():
    span = made()

    assert (span.name, span.kind, dict(span.attributes or {})) == ("tde some", SpanKind.CONSUMER, {"procos.jobKey": 7})
    assert span.status.status_code is StatusCode.UNSET


def test_a_span_continues_the_trace_that_the_process_carries():
    span = made(traceparent=CARRIED)

    assert f"{span.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"


def test_all_jobs_of_one_run_share_a_trace_and_other_runs_have_their_own():
    first, second, other = made("c-1"), made("c-1"), made("c-2")

    assert first.context.trace_id == second.context.trace_id != other.context.trace_id
    assert first.context.span_id != second.context.span_id


@pytest.mark.parametrize("traceparent", [None, 7, "", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01", ["x"]])
def test_a_trace_that_cannot_be_read_is_as_good_as_none(traceparent):
    assert made(traceparent=traceparent).context.trace_id == made().context.trace_id


@pytest.mark.parametrize("correlation_id", ["", "ä", "\ud800", "x" * 100_000])
def test_any_correlation_id_makes_a_trace(correlation_id):
    assert made(correlation_id).context.trace_id


def test_a_failure_is_marked_with_its_reason():
    with job_span("x", traceparent=None, correlation_id="c", attributes={}) as span:
        mark_failed(span, "no good")

    assert (spans()[-1].status.status_code, spans()[-1].status.description) == (StatusCode.ERROR, "no good")


def test_what_runs_now_knows_its_trace():
    assert current_trace() == {}
    with job_span("x", traceparent=CARRIED, correlation_id="c", attributes={}):
        found = current_trace()

    assert found["traceId"] == "0af7651916cd43dd8448eb211c80319c"
    assert found["spanId"] == f"{spans()[-1].context.span_id:016x}"
    assert current_trace() == {}
