"""OpenTelemetry traces: where the time of a request goes. They are off unless ACCORD_TRACES_ENDPOINT is set.

Accord makes its own spans. The existing instrumentation for Flask, redis and SQLAlchemy records URLs with
their queries, keys and statements, and with them codes, states and the ids of sessions and requests. A span
of Accord has a name from the code, the template of a route, and the identifiers of registered parties:
nothing that the caller has sent.
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
    """Gives a trace the same id that the answer has in its header `ob-trace-id`."""

    def generate_trace_id(self) -> int:
        return _trace_id.get(0) or randbits(128)


class Tracing:
    """Makes spans, and sends them in batches from a background thread."""

    def __init__(self, endpoint: str) -> None:
        """`endpoint` is a collector's URL for OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces."""
        # The default resource would include variables of the environment, which holds secrets.
        provider = TracerProvider(id_generator=_OurTraceIds(), resource=Resource({"service.name": "accord"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        self._tracer: Tracer = provider.get_tracer("accord")

    @contextmanager
    def request(self, trace_id: str, parent_span_id: str | None) -> Iterator[Span]:
        """A span for one HTTP request, below the caller's span where there is one. Ids are hexadecimal."""
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
        """A span for one call of a store. Of an exception it records the type, and not the message."""
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
