"""/v1/items: the catalogue, searched, looked up and kept up to date."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.requests import Request

from api.answers import item_facts
from api.guard import check_platforms
from api.people import check_platform
from api.problems import responses
from api.schemas.items import (
    ItemFacts,
    ListingBody,
    ListingsAnswer,
    ListingsBody,
    ListingVerdict,
    SearchAnswer,
    SearchQuery,
    SimilarAnswer,
    SimilarItem,
    SimilarQuery,
)
from api.service import Opened, Service
from recall.store.items import LiveItem, put_items
from recall.types import Item

router = APIRouter(prefix="/v1/items", tags=["items"])

ItemId = Annotated[str, Path(min_length=1, max_length=256, description="Item id, as answers give it.")]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@router.get("", responses=responses(404, 422, 500, 503), summary="Search by title")
async def search(query: Annotated[SearchQuery, Query()], service: Opened) -> SearchAnswer:
    """Best first. Case, accents and the order of the words do not matter."""
    check_platform(service.settings, query.platform)
    library = service.library
    found = await asyncio.to_thread(library.search, query.title, platform=query.platform, limit=query.limit)
    return SearchAnswer(items=[item_facts(item) for item in found])


@router.put("", responses=responses(413, 422, 500, 503), summary="Add or replace listings")
async def put(body: ListingsBody, request: Request, service: Opened) -> ListingsAnswer:
    """Each row has its own verdict. Of two rows for one listing the last counts."""
    check_platforms(request.state.key, *{one.platform for one in body.items})
    judged = [_judge(service, one) for one in body.items]
    stored = [one for one in judged if isinstance(one, LiveItem)]
    await put_items(service.store, stored)
    library = service.library
    library.look()
    names = await asyncio.to_thread(lambda: [library.item_id(one.platform, one.listing) for one in stored])
    ids = iter(names)
    verdicts = [
        ListingVerdict(verdict="stored", item=next(ids)) if isinstance(one, LiveItem) else one
        for one in judged
    ]
    return ListingsAnswer(stored=len(stored), rejected=len(judged) - len(stored), verdicts=verdicts)


@router.get("/{item}", responses=responses(404, 422, 500, 503), summary="An item with its listings")
async def one(item: ItemId, service: Opened) -> ItemFacts:
    return item_facts(await _item(service, item))


@router.get("/{item}/similar", responses=responses(404, 422, 500, 503), summary="What goes with an item")
async def similar(item: ItemId, query: Annotated[SimilarQuery, Query()], service: Opened) -> SimilarAnswer:
    """Items that the same people had, best first; none for an item that came in after the last training."""
    check_platform(service.settings, query.platform)
    found = await _item(service, item)
    stock = await asyncio.to_thread(service.pipeline.stock)

    def look() -> list[tuple[Item, float]]:
        scored = stock.recall.similar(found.id, platform=query.platform, n=query.k)
        items = stock.library.items([id for id, _ in scored])
        return [(item, score) for item, (_, score) in zip(items, scored, strict=True)]

    pairs = await asyncio.to_thread(look)
    return SimilarAnswer(
        item=found.id,
        similar=[SimilarItem(score=score, item=item_facts(item)) for item, score in pairs],
    )


async def _item(service: Service, id: str) -> Item:
    """NotFound for an unknown one."""
    library = service.library
    return (await asyncio.to_thread(library.items, [id]))[0]


def _judge(service: Service, body: ListingBody) -> LiveItem | ListingVerdict:
    def rejected(code: str, message: str) -> ListingVerdict:
        return ListingVerdict(verdict="rejected", item=None, code=code, message=message)

    if body.platform not in service.settings.platforms:
        known = ", ".join(sorted(service.settings.platforms)) or "none"
        return rejected("unknown_platform", f"no platform {body.platform!r}; have {known}")
    listing = body.listing.strip()
    if not listing:
        return rejected("missing_item", "listing is empty")
    if _CONTROL.search(listing):
        return rejected("control_characters", "listing holds control characters: send the platform's own id")
    if (
        body.available_from is not None
        and body.available_to is not None
        and body.available_to <= body.available_from
    ):
        return rejected("bad_value", "available_to is not after available_from")
    values = body.model_dump(exclude={"platform", "listing", "creators", "categories"})
    return LiveItem(
        platform=body.platform,
        listing=listing,
        creators=tuple(body.creators),
        categories=tuple(body.categories),
        **values,
    )
