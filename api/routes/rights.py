"""A person's rights: consent, export, erasure."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.answers import plain
from api.erasure import erase
from api.people import Unusable, check_platform
from api.problems import responses
from api.routes.users import Platform, User, served_by
from api.schemas.people import ConsentAnswer, ConsentBody, ErasureAnswer, ExportAnswer, StatementBody
from api.service import Opened, Service
from recall.consent import EVERY, Statement
from recall.store.consents import load_statements, replace
from recall.store.events import read_events
from rerank.aliases import known_as
from rerank.knowledge.store import load_profile

router = APIRouter(prefix="/v1/users", tags=["rights"])


@router.get(
    "/{platform}/{user:path}/consent",
    responses=responses(404, 422, 500, 503),
    summary="What an account states",
)
async def get_consent(platform: Platform, user: User, service: Opened) -> ConsentAnswer:
    """And what follows for the person: which platforms' history may serve which."""
    check_platform(service.settings, platform)
    return await _consent(service, platform, user)


@router.put(
    "/{platform}/{user:path}/consent",
    responses=responses(404, 413, 422, 500, 503),
    summary="State which platforms may serve which",
)
async def put_consent(platform: Platform, user: User, body: ConsentBody, service: Opened) -> ConsentAnswer:
    """Counts from the next answer on, and in the next training. A platform may always serve itself.

    The account need not be known yet.
    """
    check_platform(service.settings, platform)
    for one in body.statements:
        for name in (one.source, one.target):
            if name != EVERY:
                check_platform(service.settings, name)
        if one.source == one.target != EVERY:
            raise Unusable(f"{one.source!r} always serves itself: state it of two platforms, or of {EVERY!r}")
    statements = [Statement(platform, user, one.source, one.target, one.allowed) for one in body.statements]
    await replace(service.store, platform, user, statements)
    service.library.look()
    return await _consent(service, platform, user)


@router.get(
    "/{platform}/{user:path}/export",
    response_model=ExportAnswer,
    responses=responses(404, 422, 500, 503),
    summary="Everything held of a person",
)
async def export(platform: Platform, user: User, service: Opened) -> Response:
    """Of all of the person's accounts: events, consents, what was recommended and what came back on it, and
    what a language model read out of the history."""
    person = await service.person(platform, user)
    answer = await _export(service, person)
    return Response(answer.model_dump_json(), media_type="application/json")


@router.delete("/{platform}/{user:path}", responses=responses(404, 422, 500, 503), summary="Erase a person")
async def delete(platform: Platform, user: User, request: Request, service: Opened) -> ErasureAnswer:
    """All accounts that are linked with this one.

    The person is unknown from the first moment on, and erased from the store, the journal, caches and
    evaluations before the answer. Data builds and artefacts go with the next `whyrec ingest` and `whyrec
    train`. Tombstones, which are hashes, keep a later import out. Asking again is safe.
    """
    check_platform(service.settings, platform)
    accounts, removed = await erase(service, platform, user)
    return ErasureAnswer(accounts=accounts, erased=removed)


async def _consent(service: Service, platform: str, user: str) -> ConsentAnswer:
    mine = [
        StatementBody(source=one.source, target=one.target, allowed=one.allowed)
        for one in await load_statements(service.store)
        if (one.platform, one.user) == (platform, user)
    ]
    library = service.library

    def serves() -> dict[str, list[str]]:
        person = library.owner(platform, user)
        return served_by(library, person, sorted(service.settings.platforms))

    return ConsentAnswer(statements=mine, serves=await asyncio.to_thread(serves))


async def _export(service: Service, person: str) -> ExportAnswer:
    library = service.library
    accounts = await asyncio.to_thread(library.accounts, person)
    history = await asyncio.to_thread(library.history, person)
    items = await asyncio.to_thread(library.items, [event.item for event in history.events])
    live = await read_events(service.store, accounts)
    held = set(accounts)
    stated = [one for one in await load_statements(service.store) if (one.platform, one.user) in held]
    served = await service.journal.export(person)
    async with service.store.read() as connection:
        ids = await known_as(connection, person)
    profiles = [await load_profile(service.store, id) for id in ids]
    said = [(one, each.model) for each in profiles if each is not None for one in each.statements]
    return ExportAnswer(
        person=person,
        accounts=[{"platform": platform, "user": user} for platform, user in accounts],
        events=[
            asdict(event) | {"title": plain(item.title)}
            for event, item in zip(history.events, items, strict=True)
        ],
        live_events=[asdict(event) for event in live],
        consents=[asdict(one) for one in stated],
        recommendations=[_plain(asdict(one)) for one in served],
        profile=[_plain(asdict(one) | {"model": model}) for one, model in said],
    )


def _plain(value: Any) -> Any:
    """Texts that a model wrote may hold what JSON in UTF-8 can't carry."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
