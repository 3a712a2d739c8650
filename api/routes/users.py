"""/v1/users/{platform}/{user}: what is known of a person."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.requests import Request

from api.answers import plain
from api.guard import check_platforms
from api.people import check_platform
from api.problems import responses
from api.schemas.people import (
    HistoryAnswer,
    HistoryEvent,
    HistoryQuery,
    PlatformProfile,
    ProfileAnswer,
    Taste,
)
from api.service import Opened
from recall.errors import NotFound
from recall.library import BuildLibrary
from recall.types import DISLIKE, LIKE, Event, Item

router = APIRouter(prefix="/v1/users", tags=["people"])

Platform = Annotated[str, Path(min_length=1, max_length=100, description="As in [platforms.NAME].")]
User = Annotated[str, Path(min_length=1, max_length=256, description="The user id on that platform.")]

TASTES = 20
"""Categories and creators that a profile names at most."""


@router.get(
    "/{platform}/{user:path}/history",
    responses=responses(404, 422, 500, 503),
    summary="A person's events",
)
async def history(
    platform: Platform,
    user: User,
    query: Annotated[HistoryQuery, Query()],
    request: Request,
    service: Opened,
) -> HistoryAnswer:
    """Of all of the person's accounts, newest first; what came in a moment ago included."""
    if request.state.key.platforms is not None:
        check_platforms(request.state.key, query.platform)
    check_platform(service.settings, query.platform)
    person = await service.person(platform, user)
    library = service.library

    def look() -> tuple[list[Event], list[Item], bool]:
        events = library.history(person, platform=query.platform).events
        start = 0
        if query.after is not None:
            places = [at for at, event in enumerate(events) if event.id == query.after]
            if not places:
                raise NotFound(
                    f"no event {query.after!r} in this history: give the `next` of the page before"
                )
            start = places[0] + 1
        page = list(events[start : start + query.limit])
        return page, library.items([event.item for event in page]), start + len(page) < len(events)

    page, items, more = await asyncio.to_thread(look)
    return HistoryAnswer(
        person=person,
        events=[
            HistoryEvent(
                event=event.id,
                platform=event.platform,
                item=item.id,
                title=plain(item.title),
                type=event.type,
                value=event.value,
                time=event.time,
                polarity=event.polarity,
                confidence=round(event.confidence, 6),
            )
            for event, item in zip(page, items, strict=True)
        ],
        next=page[-1].id if more and page else None,
    )


@router.get(
    "/{platform}/{user:path}/profile",
    responses=responses(404, 422, 500, 503),
    summary="A person in figures",
)
async def profile(platform: Platform, user: User, request: Request, service: Opened) -> ProfileAnswer:
    """Counts by platform, and what the person liked and disliked. A key for certain platforms sees what may
    serve the platform of the path."""
    person = await service.person(platform, user)
    library = service.library
    asking = None if request.state.key.platforms is None else platform

    def look() -> ProfileAnswer:
        events = library.history(person, platform=asking).events
        items = library.items([event.item for event in events])
        mine: dict[str, list[Event]] = {}
        for event in events:
            mine.setdefault(event.platform, []).append(event)
        serves = served_by(library, person, sorted(service.settings.platforms))
        return ProfileAnswer(
            person=person,
            events=len(events),
            platforms=[
                PlatformProfile(
                    platform=name,
                    events=len(rows),
                    liked=sum(event.polarity == LIKE for event in rows),
                    disliked=sum(event.polarity == DISLIKE for event in rows),
                    first=min(event.time for event in rows),
                    last=max(event.time for event in rows),
                    serves=[asks for asks, sources in serves.items() if name in sources],
                )
                for name, rows in sorted(mine.items())
            ],
            categories=_tastes(events, [item.categories for item in items]),
            creators=_tastes(events, [item.creators for item in items]),
        )

    return await asyncio.to_thread(look)


def served_by(library: BuildLibrary, person: str, platforms: list[str]) -> dict[str, list[str]]:
    """Platform that asks → the platforms whose history of this person may serve it."""
    return {
        asking: [name for name in platforms if (may := library.serves(person, asking)) is None or name in may]
        for asking in platforms
    }


def _tastes(events: Sequence[Event], tags: list[tuple[str, ...]]) -> list[Taste]:
    liked: Counter[str] = Counter()
    disliked: Counter[str] = Counter()
    for event, mine in zip(events, tags, strict=True):
        if event.polarity == LIKE:
            liked.update(mine)
        elif event.polarity == DISLIKE:
            disliked.update(mine)
    names = sorted(liked | disliked, key=lambda name: (-liked[name] - disliked[name], name))
    return [Taste(name=plain(name), liked=liked[name], disliked=disliked[name]) for name in names[:TASTES]]
