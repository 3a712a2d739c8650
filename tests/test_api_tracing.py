"""Spans leave the process only when asked, over real HTTP, and hold nothing about anybody."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.test_api_serve import serving

BODY = {"user": {"platform": "cinema", "user": "u7"}, "mode": "recall", "k": 3, "wish": "secret wish"}


@pytest.fixture
def collector():
    """A server that keeps what is sent to it."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", received
    server.shutdown()


@pytest.mark.long
def test_a_request_s_stages_are_exported_below_the_caller_s_span(whole, collector):
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    url, received = collector
    caller = "0af7651916cd43dd8448eb211c80319c"
    options = {
        "WHYREC_TRACES__EXPORTER": "otlp",
        "WHYREC_TRACES__ENDPOINT": url,
        "WHYREC_LLM__ENGINE": "none",
    }
    with serving(whole, **options) as (client, process):
        headers = {"traceparent": f"00-{caller}-b7ad6b7169203331-01"}
        assert client.post("/v1/recommendations?u7", json=BODY, headers=headers).status_code == 200
        process.terminate()
        process.wait(timeout=30)
    sent = [ExportTraceServiceRequest.FromString(body) for body in map(unzipped, received)]
    spans = [
        span
        for each in sent
        for resource in each.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    mine = {span.name: span for span in spans if span.trace_id.hex() == caller}
    assert {"POST /v1/recommendations", "whyrec.recall"} <= mine.keys()
    assert mine["whyrec.recall"].parent_span_id == mine["POST /v1/recommendations"].span_id
    everything = b"".join(map(unzipped, received))
    assert b"u7" not in everything
    assert b"secret wish" not in everything


def unzipped(body: bytes) -> bytes:
    import gzip

    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def test_nothing_is_installed_unless_traces_are_asked_for():
    from api.settings import TracesConfig
    from api.tracing import install

    assert install(TracesConfig()) is None
