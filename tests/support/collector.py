"""An OpenTelemetry collector on loopback, which keeps what it gets."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.loopback_server import LoopbackServer, QuietHandler


@dataclass
class Collector(LoopbackServer):
    bodies: list[bytes] = field(default_factory=list)

    def handler(self) -> type["_Handler"]:
        return type("Handler", (_Handler,), {"collector": self})

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/traces"

    def spans(self) -> Iterator[Span]:
        for body in self.bodies:
            for of_process in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in of_process.scope_spans:
                    yield from scope.spans


class _Handler(QuietHandler):
    collector: Collector

    def post(self, body: bytes) -> None:
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.collector.bodies.append(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
