"""The HTTP service: one opened pipeline behind strict doors."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from api import guard, logs, problems
from api.requests import BodyLimit, ClientGone, RequestId
from api.routes import ROUTERS
from api.service import Service
from api.tracing import Traced
from api.watched import Watched

DESCRIPTION = """Explained recommendations from everything a person did, on every platform.

Bodies are strict JSON: no coercion, no NaN, unknown fields refused; of duplicate keys the last one counts.
A key goes into `Authorization: Bearer` or into `X-API-Key`.
Errors are `application/problem+json`. Every answer carries `X-Request-Id`. Times are UTC seconds."""


def create_app(service: Service) -> FastAPI:
    """The routes over an opened service, which the caller closes after the server has stopped."""
    app = FastAPI(
        title="whyrec",
        version=version("whyrec"),
        description=DESCRIPTION,
        redoc_url=None,
        # FastAPI's own spans hold paths and queries, and so user ids; api/tracing.py makes ours.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        dependencies=[Depends(guard.Guard(service.store, service.settings.security))],
    )
    app.state.service = service
    security = service.settings.security
    if security.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=security.origins,
            allow_methods=["*"],
            allow_headers=["Authorization", "X-API-Key", "Content-Type", "X-Request-Id"],
            expose_headers=["X-Request-Id", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"],
        )
    app.add_middleware(BodyLimit, max_bytes=service.settings.serve.max_body_bytes)
    if service.settings.traces.exporter != "none":
        app.add_middleware(Traced)
    app.add_middleware(Watched, told=(service.metrics.answered, logs.answered))
    app.add_middleware(RequestId)  # outermost: every refusal carries the id
    problems.install(app)
    app.add_exception_handler(ClientGone, _nobody)
    for router in ROUTERS:
        app.include_router(router)
    guard.document(app)
    return app


async def _nobody(request: Request, error: Exception) -> Response:
    """The caller has left: this goes nowhere, and is no error of the service."""
    return Response(status_code=499)
