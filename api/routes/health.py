"""Is the process alive; can it answer, and with what."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Response
from sqlalchemy import text

from api.problems import responses
from api.schemas import Live, Ready
from api.service import Opened, Service
from recall.errors import StoreError
from rerank.llm.measure import usable

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="The process runs")
async def live() -> Live:
    """Touches nothing: restart the process when this fails."""
    return Live()


@router.get("/ready", responses={503: {"model": Ready}, **responses(422)}, summary="It can answer")
async def ready(service: Opened, response: Response, measure: bool = False) -> Ready:
    """503 while the store can't be reached. A model that does not answer is no reason to be unready:
    answers then keep the recall order and say so. With `measure`, the model's speed, prefix cache and seed
    are measured once for this process, as `whyrec llm check` does: seconds, and about 1,500 tokens."""
    capabilities, why = await service.capabilities()
    model, measuring = service.pipeline.model, service.measuring
    if measure and capabilities is not None and model is not None:
        await measuring.of(model)
    reached = await _reached(service)
    response.status_code = 200 if reached else 503
    return Ready(
        status="ready" if reached else "not ready",
        artefact=service.pipeline.recall.artefact,
        model=capabilities and asdict(capabilities),
        no_model=why,
        methods={} if capabilities is None else usable(capabilities),
        measured=measuring.found and asdict(measuring.found),
        store="ok" if reached else "unreachable",
    )


async def _reached(service: Service) -> bool:
    try:
        async with service.store.read() as connection:
            await connection.execute(text("SELECT 1"))
    except StoreError:
        return False
    return True
