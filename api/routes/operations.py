"""What operators read: figures for Prometheus, and which version runs."""

from __future__ import annotations

import platform
from importlib.metadata import version

from fastapi import APIRouter
from starlette.responses import Response

from api.metrics import CONTENT_TYPE
from api.schemas import Version
from api.service import Opened
from rerank.llm.breaker import open_breakers

router = APIRouter(tags=["operations"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    summary="Figures for Prometheus",
)
async def metrics(service: Opened) -> Response:
    """Of all workers together, in Prometheus' text format."""
    pipeline = service.pipeline
    text = service.metrics.text(pipeline.recall.artefact, open_breakers(pipeline.model))
    return Response(text, media_type=CONTENT_TYPE)


@router.get("/version", summary="Which version runs")
async def version_(service: Opened) -> Version:
    return Version(
        version=version("whyrec"),
        python=platform.python_version(),
        artefact=service.pipeline.recall.artefact,
    )
