"""POST /v1/events: what people do, as it happens."""

from __future__ import annotations

import time
from collections import Counter

from fastapi import APIRouter
from starlette.requests import Request

from api.guard import check_platforms
from api.problems import responses
from api.schemas.events import EventBody, EventsAnswer, EventsBody, EventVerdict
from api.service import Opened
from api.settings import Settings
from recall.store.events import LiveEvent, append_events
from recall.store.tombstones import load_tombstones
from recall.weigh import Refused, weigh

router = APIRouter(prefix="/v1", tags=["data"])


@router.post(
    "/events",
    responses=responses(413, 422, 500, 503),
    summary="Events, one or many; safe to send again",
)
async def post_events(body: EventsBody, request: Request, service: Opened) -> EventsAnswer:
    """Each row has its own verdict: stored, known (it was here already), or rejected with code and remedy.

    An event is named by its content, so the same one counts once, whether it is sent twice or comes in a file
    later. What is stored is durable before the answer, and counts in the next recommendation.
    """
    check_platforms(request.state.key, *{event.platform for event in body.events})
    latest = int(time.time()) + service.settings.merge.future_hours * 3600
    judged = [_judge(service.settings, event, latest) for event in body.events]
    events = [one for one in judged if isinstance(one, LiveEvent)]
    added = set(await append_events(service.store, events))
    missing = [one for one in events if one.id not in added]
    gone = await load_tombstones(service.store) if missing else None
    verdicts = []
    for one in judged:
        if isinstance(one, Refused):
            verdicts.append(EventVerdict(verdict="rejected", event=None, code=one.code, message=one.message))
        elif one.id in added:
            added.discard(one.id)  # a second copy in this request was known by then
            verdicts.append(EventVerdict(verdict="stored", event=one.id))
        elif gone and one.time <= gone.erased(one.platform, [one.user]).get(one.user, -1):
            message = "the account was erased after this event: only what happens from then on is taken"
            verdicts.append(EventVerdict(verdict="rejected", event=None, code="erased", message=message))
        else:
            verdicts.append(EventVerdict(verdict="known", event=one.id))
    counts = Counter(one.verdict for one in verdicts)
    return EventsAnswer(
        stored=counts["stored"], known=counts["known"], rejected=counts["rejected"], verdicts=verdicts
    )


def _judge(settings: Settings, event: EventBody, latest: int) -> LiveEvent | Refused:
    platform = settings.platforms.get(event.platform)
    if platform is None:
        known = ", ".join(sorted(settings.platforms)) or "none"
        return Refused("unknown_platform", f"no platform {event.platform!r}; have {known}")
    return weigh(
        event.platform,
        platform,
        user=event.user,
        listing=event.listing,
        type=event.type,
        time=event.time,
        value=event.value,
        latest=latest,
    )
