"""Erasing accounts from recall's tables, for good."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Table, delete, or_, text, tuple_

from recall.store.engine import Store
from recall.store.events import ERASURE_LOCK
from recall.store.tables import ALIASES, CONSENTS, LINK_DECISIONS, LIVE_EVENTS
from recall.store.tombstones import PERSONS, bury

T = TypeVar("T")

_BATCH = 400  # accounts per statement: SQLite takes at most 32,766 parameters, PostgreSQL 32,767


async def hide(
    store: Store, accounts: Sequence[tuple[str, str]], persons: Collection[str], *, now: int | None = None
) -> None:
    """Put accounts and persons under tombstones: from here on every process treats them as unknown."""
    await bury(store, [*accounts, *((PERSONS, person) for person in sorted(persons))], now=now)


async def erase_accounts(
    store: Store,
    accounts: Sequence[tuple[str, str]],
    persons: Collection[str],
    *,
    now: int | None = None,
) -> dict[str, int]:
    """Remove live events, consents, decisions about links and aliases of these accounts and person ids.

    One transaction; returns rows by table. Hide them first: a writer then adds nothing of theirs any more.
    """
    at = int(time.time()) if now is None else now
    removed: dict[str, int] = {}
    async with store.write() as connection:
        if not store.sqlite:  # SQLite has one writer at a time
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({ERASURE_LOCK})"))

        async def gone(table: Table, rows: ColumnElement[bool]) -> None:
            found = await connection.execute(delete(table).where(rows))
            removed[table.name] = removed.get(table.name, 0) + found.rowcount

        for some in _batches(accounts):
            mine = tuple_(LIVE_EVENTS.c.platform, LIVE_EVENTS.c.user).in_(some)
            await gone(LIVE_EVENTS, mine & (LIVE_EVENTS.c.time <= at))
            await gone(CONSENTS, tuple_(CONSENTS.c.platform, CONSENTS.c.user).in_(some))
            decided = LINK_DECISIONS.c
            named = or_(
                tuple_(decided.platform, decided.key).in_(some),
                tuple_(decided.other_platform, decided.other_key).in_(some),
            )
            await gone(LINK_DECISIONS, (decided.kind == "person") & named)
        for ids in _batches(sorted(persons)):
            await gone(ALIASES, ALIASES.c.old.in_(ids) | ALIASES.c.new.in_(ids))
    return removed


async def shrink(store: Store, *, attempts: int = 50) -> bool:
    """Write SQLite's log into the file and cut it to nothing, so that no page of it holds what was removed.

    False where readers held it for too long: the next one that succeeds does it. PostgreSQL keeps removed
    rows until its own vacuum, and its log until it is recycled: True, nothing is done.
    """
    import asyncio

    if not store.sqlite:
        return True
    for _ in range(attempts):
        async with store.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            row = (await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))).one()
        if row[0] == 0:
            return True
        await asyncio.sleep(0.1)
    return False


def _batches(rows: Sequence[T]) -> Iterator[list[Any]]:
    for start in range(0, len(rows), _BATCH):
        yield list(rows[start : start + _BATCH])
