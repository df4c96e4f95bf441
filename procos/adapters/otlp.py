"""Spans leave the process: OpenTelemetry's SDK set up to send them over OTLP/HTTP."""

import contextlib
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from procos.errors import MissingExtraError, SettingsError

_LONGEST_SENDING_S: Final = 3
"""The last spans are sent when the process ends; a collector that is away must not keep it from that."""


@contextlib.contextmanager
def sending_spans(endpoint: str | None, *, version: str) -> Iterator[None]:
    """Sends the process's spans to a collector at `endpoint` (`http://HOST:4318`) while the context lasts.

    Without an endpoint nothing is set up. A collector that does not answer costs spans, never jobs.

    Raises:
        MissingExtraError: the extra 'otel' is not installed.
        SettingsError: the endpoint is no URL.
    """
    if endpoint is None:
        yield
        return
    if not _is_url(endpoint):
        raise SettingsError(
            f"setting otlp_endpoint = {endpoint!r} is no URL", hint="give http://HOST:4318 (OTLP over HTTP)"
        )
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("sending spans (setting otlp_endpoint)", "otel") from error
    from opentelemetry import trace  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": "procos", "service.version": version}))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_LONGEST_SENDING_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
