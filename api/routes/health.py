"""Is the process alive; can it answer, and with what."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Response
from sqlalchemy import text

from api.schemas import Live, Ready
from api.service import Opened, Service
from recall.errors import StoreError

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="The process runs")
async def live() -> Live:
    """Touches nothing: restart the process when this fails."""
    return Live()


@router.get("/ready", responses={503: {"model": Ready}}, summary="It can answer")
async def ready(service: Opened, response: Response) -> Ready:
    """503 while the store can't be reached. A model that does not answer is no reason to be unready:
    answers then keep the recall order and say so."""
    capabilities, why = await service.capabilities()
    reached = await _reached(service)
    response.status_code = 200 if reached else 503
    return Ready(
        status="ready" if reached else "not ready",
        artefact=service.pipeline.recall.artefact,
        model=capabilities and asdict(capabilities),
        no_model=why,
        store="ok" if reached else "unreachable",
    )


async def _reached(service: Service) -> bool:
    try:
        async with service.store.read() as connection:
            await connection.execute(text("SELECT 1"))
    except StoreError:
        return False
    return True
