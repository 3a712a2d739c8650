"""/v1/batches: recommendations for many people, as a job with progress."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.guard import check_platforms
from api.people import check_platform
from api.problems import responses
from api.schemas.batches import BatchAnswer, BatchBody, BatchRows, RowsQuery
from api.service import Opened

router = APIRouter(prefix="/v1/batches", tags=["recommendations"])

BatchId = Annotated[str, Path(min_length=1, max_length=64)]


@router.post(
    "",
    status_code=202,
    responses=responses(404, 413, 422, 500, 503),
    summary="Recommendations for many people",
)
async def post(body: BatchBody, request: Request, service: Opened) -> BatchAnswer:
    """Taken in durably and worked off beside the requests, also after a crash. Accounts that are unknown then
    have their problem in their row."""
    if service.allowance.limits(request.state.key):
        detail = "This key has a limit of tokens a day, which batches do not count: use a key without one."
        raise HTTPException(403, detail)
    config = service.scenarios.config(body.scenario)
    check_platforms(request.state.key, body.platform or config.platform, *{u.platform for u in body.users})
    check_platform(service.settings, body.platform or config.platform)
    id = await service.batches.add(body)
    return await service.batches.read(id)


@router.get("/{id}", responses=responses(404, 422, 500, 503), summary="How far a batch is")
async def get(id: BatchId, request: Request, service: Opened) -> BatchAnswer:
    check_platforms(request.state.key, *await service.batches.platforms(id))
    return await service.batches.read(id)


@router.get("/{id}/rows", responses=responses(404, 422, 500, 503), summary="A batch's rows, in order")
async def rows(
    id: BatchId, query: Annotated[RowsQuery, Query()], request: Request, service: Opened
) -> BatchRows:
    """Each with the id of its answer as soon as there is one."""
    check_platforms(request.state.key, *await service.batches.platforms(id))
    found = await service.batches.rows(id, after=query.after, limit=query.limit)
    return BatchRows(rows=found, next=found[-1].row if len(found) == query.limit else None)


@router.delete("/{id}", status_code=204, responses=responses(404, 422, 500, 503), summary="Remove a batch")
async def delete(id: BatchId, request: Request, service: Opened) -> Response:
    """One under way ends. Its answers stay in the journal."""
    check_platforms(request.state.key, *await service.batches.platforms(id))
    await service.batches.remove(id)
    return Response(status_code=204)
