"""Traces (OpenTelemetry): where the time of a request goes. Off unless ACCORD_TRACES_ENDPOINT is set.

Spans are made by hand. The instrumentation that there is for Flask, redis and SQLAlchemy records addresses
with their queries, keys and statements: codes, states, the ids of sessions and requests. Here a span has a
name of ours, a route's template, and whom of the registered it is about; nothing that was sent gets into one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from secrets import randbits

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, Tracer

_trace_id: ContextVar[int] = ContextVar("trace_id")


class _OurTraceIds(RandomIdGenerator):
    """A trace has the id that the answer carries as `ob-trace-id`."""

    def generate_trace_id(self) -> int:
        return _trace_id.get(0) or randbits(128)


class Tracing:
    """Makes spans and sends them, a batch at a time, from a thread of its own."""

    def __init__(self, endpoint: str) -> None:
        """`endpoint`: where a collector takes OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces."""
        # Of the process's environment nothing is taken along: it holds secrets.
        provider = TracerProvider(id_generator=_OurTraceIds(), resource=Resource({"service.name": "accord"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        self._tracer: Tracer = provider.get_tracer("accord")

    @contextmanager
    def request(self, trace_id: str, parent_span_id: str | None) -> Iterator[Span]:
        """A span for one HTTP request, under the caller's span where it has one. Ids are hexadecimal."""
        number = int(trace_id, 16)
        chosen = _trace_id.set(number)
        attached = context.attach(_under(number, parent_span_id))
        try:
            with self._tracer.start_as_current_span(
                "request", kind=SpanKind.SERVER, record_exception=False, set_status_on_exception=False
            ) as span:
                yield span
        finally:
            context.detach(attached)
            _trace_id.reset(chosen)

    @contextmanager
    def store(self, what: str) -> Iterator[None]:
        """A span for one use of a store; how it failed is said by the type of the exception alone."""
        with self._tracer.start_as_current_span(
            what, kind=SpanKind.CLIENT, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                raise


def _under(trace_id: int, parent_span_id: str | None) -> context.Context:
    if parent_span_id is None:
        return context.Context()
    parent = SpanContext(
        trace_id, int(parent_span_id, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    return trace.set_span_in_context(NonRecordingSpan(parent), context.Context())
