"""OpenTelemetry traces: one span per request, with a span per stage below it. Off unless [traces] says so.

Spans hold route templates, statuses, stages and outcomes. Titles, histories, prompts, replies and user ids
are never in them.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.settings import TracesConfig
from api.watched import route_of
from recall.errors import MissingExtra
from rerank.types import Recommendation


def install(config: TracesConfig) -> Any | None:
    """Install the process's provider, to be shut down at the end; None where traces are off.

    MissingExtra where the exporter's package is not there.
    """
    if config.exporter == "none":
        return None
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    exporter: SpanExporter
    if config.exporter == "console":
        exporter = ConsoleSpanExporter()
    else:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ModuleNotFoundError as error:
            raise MissingExtra("[traces] exporter = otlp", "traces") from error
        exporter = OTLPSpanExporter(endpoint=config.endpoint)
    resource = Resource.create({"service.name": "whyrec", "service.version": version("whyrec")})
    provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(config.share)))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider


class Traced:
    """A server span around each request, below the caller's own span where it sends one (traceparent)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._tracer = trace.get_tracer("whyrec")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        above = propagate.extract(headers)
        with self._tracer.start_as_current_span("request", context=above, kind=SpanKind.SERVER) as span:

            async def watched(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            try:
                await self.app(scope, receive, watched)
            finally:
                span.update_name(f"{scope['method'][:10]} {route_of(scope)}")
                span.set_attribute("http.route", route_of(scope))
                span.set_attribute("whyrec.request_id", str(scope.get("request_id", "")))


def annotate(answer: Recommendation) -> None:
    """Put a recommendation's outcome on the request's span."""
    told = answer.provenance
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attributes(
            {
                "whyrec.rerank_status": told.rerank_status,
                "whyrec.cause": told.cause or "",
                "whyrec.method": told.method,
                "whyrec.artefact": told.artefact,
                "whyrec.items": len(answer.items),
                "whyrec.calls": told.calls,
            }
        )
