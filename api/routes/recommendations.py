"""POST /v1/recommendations."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.answers import answer_of, request_of
from api.guard import check_platforms
from api.people import check_platform
from api.problems import responses
from api.requests import while_connected
from api.schemas import RecommendationAnswer, RecommendationBody
from api.service import Opened, Service
from rerank.types import Recommendation

router = APIRouter(prefix="/v1", tags=["recommendations"])


@router.post(
    "/recommendations",
    response_model=RecommendationAnswer,
    responses=responses(404, 413, 422, 500, 503),
    summary="Explained recommendations for a person",
)
async def recommend(body: RecommendationBody, request: Request, service: Opened) -> Response:
    """Ranked items with reasons and their evidence, and how they came about.

    The answer is out by the deadline whatever the language model does: `provenance.rerank_status` is then
    partial or skipped, `provenance.cause` says why, and the order is that of recall.
    """
    check_platforms(request.state.key, body.platform, *([body.user.platform] if body.user else []))
    answer = answer_of(await while_connected(request, _recommend(service, body)))
    return Response(answer.model_dump_json(), media_type="application/json")


async def _recommend(service: Service, body: RecommendationBody) -> Recommendation:
    question = request_of(body)
    check_platform(service.settings, body.platform)
    if body.user is not None:
        question = replace(question, person=await service.person(body.user.platform, body.user.user))
    answer = await service.pipeline.recommend(question)
    service.metrics.observe(answer)
    return answer
