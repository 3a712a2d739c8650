"""Recommendations: asked for, streamed, looked up again."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from api.answers import plain, reason_of_row
from api.asking import Question, question_of
from api.guard import check_platforms
from api.problems import responses
from api.requests import while_connected
from api.routes.users import Platform, User
from api.schemas import RecommendationAnswer, RecommendationBody, RecommendationQuery
from api.schemas.recommendations import ServedAnswer, ServedFeedback, ServedPlace
from api.service import Opened, Service
from api.streaming import streamed, wants_stream
from recall.errors import NotFound
from recall.library import BuildLibrary
from rerank.journal import Served

router = APIRouter(prefix="/v1", tags=["recommendations"])

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One document, or with `Accept: text/event-stream` the events `recalled`, `ranked`, "
        "`reason` for each item as it is ready, and `done` (the document) or `error` (a problem).",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.post(
    "/recommendations",
    response_model=RecommendationAnswer,
    responses={**_STREAM, **responses(404, 413, 422, 500, 503)},
    summary="Explained recommendations for a person",
)
async def recommend(body: RecommendationBody, request: Request, service: Opened) -> Response:
    """Ranked items with reasons and their evidence, and how they came about.

    The answer is out by the deadline whatever the language model does: `provenance.rerank_status` is then
    partial or skipped, `provenance.cause` says why, and the order is that of recall.
    """
    asking = body.platform or service.scenarios.config(body.scenario).platform
    check_platforms(request.state.key, asking, *([body.user.platform] if body.user else []))
    person = body.person
    if body.user is not None:
        person = await service.person(body.user.platform, body.user.user)
    question = await question_of(service, body, person=person, history=body.history)
    return await _answered(request, service, question)


@router.get(
    "/users/{platform}/{user:path}/recommendations",
    response_model=RecommendationAnswer,
    responses={**_STREAM, **responses(404, 422, 500, 503)},
    summary="Explained recommendations for an account",
)
async def recommend_user(
    platform: Platform,
    user: User,
    query: Annotated[RecommendationQuery, Query()],
    request: Request,
    service: Opened,
) -> Response:
    """As POST /v1/recommendations. Where `platform` names no asking platform, any may be meant: the account's
    own is not taken for it."""
    asking = query.platform or service.scenarios.config(query.scenario).platform
    check_platforms(request.state.key, asking)
    question = await question_of(service, query, person=await service.person(platform, user))
    return await _answered(request, service, question)


@router.get(
    "/recommendations/{id}",
    responses=responses(404, 422, 500, 503),
    summary="What was served, and what came back on it",
)
async def served(
    id: Annotated[str, Path(min_length=1, max_length=256)], request: Request, service: Opened
) -> ServedAnswer:
    """As it went out, with reasons and evidence; erased persons' answers are gone."""
    found = await service.journal.read(id)
    check_platforms(request.state.key, found.platform)
    titles = await asyncio.to_thread(_titles, service.library, [place.item for place in found.items])
    return served_of(found, titles)


async def _answered(request: Request, service: Service, question: Question) -> Response:
    question = await question.paid_by(service, request.state.key)
    if wants_stream(request):
        return await streamed(request, service, question)
    if question.request.mode == "recall":  # over before a caller who leaves would be noticed
        found = await question.answer(service)
    else:
        found = await while_connected(request, question.answer(service))
    return Response(question.shown(found), media_type="application/json")


def served_of(found: Served, titles: dict[str, str]) -> ServedAnswer:
    """The journal's entry as it goes over the wire."""
    provenance: dict[str, Any] = dict(found.provenance)
    return ServedAnswer(
        id=found.id,
        time=found.time,
        person=found.person,
        platform=found.platform,
        scenario=found.scenario,
        experiment=found.experiment,
        arm=found.arm,
        propensity=found.propensity,
        request=dict(found.request),
        provenance=provenance,
        items=[
            ServedPlace.model_validate(
                {
                    "rank": place.rank,
                    "item": place.item,
                    "title": titles.get(place.item),
                    "score": place.score,
                    "recall_rank": place.recall_rank,
                    "model_rank": place.model_rank,
                    "place": place.place,
                    "sources": dict(place.sources),
                    "reason": place.reason and reason_of_row(place.reason, place.evidence),
                }
            )
            for place in found.items
        ],
        feedback=[
            ServedFeedback(
                id=one.id, item=one.item, kind=one.kind, value=one.value, why=one.why, time=one.time
            )
            for one in found.feedback
        ],
    )


def _titles(library: BuildLibrary, ids: list[str]) -> dict[str, str]:
    """Of those that are still known."""
    found = {}
    for id in ids:
        try:
            found[id] = plain(library.items([id])[0].title)
        except NotFound:
            continue
    return found
