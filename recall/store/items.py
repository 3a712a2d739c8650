"""Catalogue rows that came in live: kept before they are acknowledged, read by the next ingest."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import func, select

from recall.store.engine import Store
from recall.store.tables import LIVE_ITEMS


@dataclass(frozen=True, slots=True)
class LiveItem:
    """One listing as its platform describes it: the columns of recall/tables.LISTINGS before links."""

    platform: str
    listing: str
    title: str | None = None
    year: int | None = None
    creators: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    description: str | None = None
    language: str | None = None
    min_age: int | None = None
    price: float | None = None
    url: str | None = None
    image: str | None = None
    available_from: int | None = None
    """UTC seconds; None: always."""
    available_to: int | None = None
    external_ids: Mapping[str, str] = field(default_factory=dict)
    """Kind of id → value."""


async def put_items(store: Store, items: Sequence[LiveItem], *, now: int | None = None) -> None:
    """Add or replace listings in one transaction, durable on return. Of two rows for one, the last counts."""
    at = int(time.time()) if now is None else now
    rows = {(one.platform, one.listing): _row(one, at) for one in items}
    insert = store.insert(LIVE_ITEMS)
    changed = {name: insert.excluded[name] for name in ("facts", "at")}
    statement = insert.on_conflict_do_update(index_elements=["platform", "listing"], set_=changed)
    if rows:
        async with store.write() as connection:
            await connection.execute(statement, list(rows.values()))


async def load_items(store: Store) -> list[LiveItem]:
    """All of them, by platform and listing."""
    order = (LIVE_ITEMS.c.platform, LIVE_ITEMS.c.listing)
    async with store.read() as connection:
        rows = (await connection.execute(select(LIVE_ITEMS).order_by(*order))).all()
    return [_item(row.platform, row.listing, json.loads(row.facts)) for row in rows]


async def count_items(store: Store) -> tuple[int, int]:
    """How many there are, and the time of the latest change (UTC seconds; 0: none)."""
    async with store.read() as connection:
        row = (await connection.execute(select(func.count(), func.max(LIVE_ITEMS.c.at)))).one()
    return row[0], row[1] or 0


def _row(one: LiveItem, at: int) -> dict[str, Any]:
    facts = {name: value for name, value in asdict(one).items() if name not in ("platform", "listing")}
    text = json.dumps(facts, ensure_ascii=True, sort_keys=True, default=dict)
    return {"platform": one.platform, "listing": one.listing, "facts": text, "at": at}


def _item(platform: str, listing: str, facts: dict[str, Any]) -> LiveItem:
    facts |= {name: tuple(facts[name]) for name in ("creators", "categories")}
    return LiveItem(platform, listing, **facts)
