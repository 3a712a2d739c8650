"""POST /v1/feedback: what people did with an answer."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.guard import check_platforms
from api.problems import responses
from api.schemas.events import FeedbackAnswer, FeedbackBody, FeedbacksBody, FeedbackVerdict
from api.service import Opened, Service
from recall.errors import NotFound
from recall.store.events import LiveEvent, append_events
from recall.weigh import FEEDBACK, Refused, feedback_event
from rerank.journal import Feedback, Served

router = APIRouter(prefix="/v1", tags=["data"])


@router.post(
    "/feedback",
    response_model=FeedbackAnswer,
    responses=responses(413, 422, 500, 503),
    summary="Feedback on recommendations; safe to send again",
)
async def post_feedback(body: FeedbacksBody, request: Request, service: Opened) -> Response:
    """Each row has its own verdict. What is stored is durable before the answer.

    Clicks, acceptances, rejections and ratings stand in the person's history from then on: what was accepted
    or clicked counts as liked, what was rejected as disliked, a rating by the platform's scale.
    """
    wanted = dict.fromkeys(one.recommendation for one in body.feedback)
    found = dict(zip(wanted, await asyncio.gather(*(_served(service, id) for id in wanted)), strict=True))
    check_platforms(request.state.key, *{one.platform for one in found.values() if one is not None})
    verdicts = await asyncio.gather(
        *(_kept(service, one, found[one.recommendation]) for one in body.feedback)
    )
    events = [event for _, event in verdicts if event is not None]
    await append_events(service.store, events)
    counts = Counter(verdict.verdict for verdict, _ in verdicts)
    answer = FeedbackAnswer(
        stored=counts["stored"],
        known=counts["known"],
        rejected=counts["rejected"],
        verdicts=[verdict for verdict, _ in verdicts],
    )
    return Response(answer.model_dump_json(), media_type="application/json")


async def _served(service: Service, id: str) -> Served | None:
    try:
        return await service.journal.read(id)
    except NotFound:
        return None


async def _kept(
    service: Service, body: FeedbackBody, served: Served | None
) -> tuple[FeedbackVerdict, LiveEvent | None]:
    """The verdict, and the event that it is in the person's history."""

    def rejected(code: str, message: str) -> tuple[FeedbackVerdict, None]:
        verdict = FeedbackVerdict(verdict="rejected", id=body.id, counts=False, code=code, message=message)
        return verdict, None

    if served is None:
        return rejected("not_found", "no such recommendation: use the id of an answer that was kept")
    if (body.kind == "rated") != (body.value is not None):
        return rejected("bad_value", "a value goes with 'rated', and only with it")
    said = Feedback(
        id=body.id,
        served=body.recommendation,
        item=body.item,
        kind=body.kind,
        time=int(time.time()) if body.time is None else body.time,
        value=body.value,
        why=body.why,
    )
    event: LiveEvent | None = None
    if served.person is not None and body.kind in FEEDBACK:
        judged = await asyncio.to_thread(_event, service, served, said)
        if isinstance(judged, Refused):
            return rejected(judged.code, judged.message)
        event = judged
    try:
        new = await service.journal.feedback(said)
    except NotFound as error:
        return rejected("not_found", str(error))
    if not new:  # what was kept first is what counts, at the time it was kept with
        first = next((one for one in (await _again(service, body)) if one.id == body.id), None)
        if first is None:
            return rejected("id_in_use", "this id is that of feedback on another recommendation")
        if event is not None:
            judged = await asyncio.to_thread(_event, service, served, first)
            event = None if isinstance(judged, Refused) else judged
    verdict = FeedbackVerdict(verdict="stored" if new else "known", id=body.id, counts=event is not None)
    return verdict, event


async def _again(service: Service, body: FeedbackBody) -> tuple[Feedback, ...]:
    served = await _served(service, body.recommendation)
    return () if served is None else served.feedback


def _event(service: Service, served: Served, said: Feedback) -> LiveEvent | Refused | None:
    """As an event of one of the person's accounts, on the platform that asked where there is one; None where
    no account's platform lists the item."""
    assert served.person is not None
    library = service.library
    if said.kind not in FEEDBACK:
        return None
    try:
        (item,) = library.items([said.item])
    except NotFound:
        return None
    listed = {listing.platform: listing.listing for listing in reversed(item.listings)}
    accounts = [account for account in library.accounts(served.person) if account[0] in listed]
    accounts.sort(key=lambda account: (account[0] != served.platform, account))
    if not accounts:
        return None
    platform, user = accounts[0]
    config = service.settings.platforms.get(platform)
    if config is None:
        return None
    latest = int(time.time()) + service.settings.merge.future_hours * 3600
    value = said.value if said.value is None or math.isfinite(said.value) else None
    return feedback_event(
        platform,
        config,
        user=user,
        listing=listed[platform],
        kind=said.kind,
        time=said.time,
        value=value,
        latest=latest,
    )
