"""Events that came in live: kept before they are acknowledged, read back by account and time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Select, select, text, tuple_

from recall.ids import event_id
from recall.store.engine import Store
from recall.store.tables import LIVE_EVENTS
from recall.store.tombstones import buried

ERASURE_LOCK = 7_486_212
"""PostgreSQL's advisory lock: shared by those who add events, held alone by who erases a person."""

_BATCH = 400  # accounts per statement: SQLite takes at most 32,766 parameters, PostgreSQL 32,767


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event as a platform reported it, before links: the columns of recall/tables.EVENTS.

    `weight` is in micro-units before decay and `polarity` as in recall.types, both by the platform's
    configuration when it came in; an ingest derives them anew. `time` is UTC seconds.
    """

    platform: str
    user: str
    listing: str
    type: str
    time: int
    value: float | None
    weight: int
    polarity: int

    @property
    def id(self) -> str:
        """The same id that a later export of this event gets."""
        return event_id(self.platform, self.user, self.listing, self.type, self.value, self.time)


async def append_events(
    store: Store, events: Sequence[LiveEvent], *, now: int | None = None
) -> frozenset[str]:
    """Add events in one transaction, durable on return; returns the ids of those that were new.

    Events already known, by id, are left as they are: sending again is safe. Events of an erased account, up
    to the time of its erasure, are left out.
    """
    if not events:
        return frozenset()
    received = int(time.time()) if now is None else now
    statement = store.insert(LIVE_EVENTS).on_conflict_do_nothing().returning(LIVE_EVENTS.c.event)
    async with store.write() as connection:
        if not store.sqlite:  # SQLite has one writer at a time
            await connection.execute(text(f"SELECT pg_advisory_xact_lock_shared({ERASURE_LOCK})"))
        accounts = sorted({(one.platform, one.user) for one in events})
        gone: dict[tuple[str, str], int] = {}
        for start in range(0, len(accounts), _BATCH):
            gone |= await buried(connection, accounts[start : start + _BATCH])
        kept = [one for one in events if one.time > gone.get((one.platform, one.user), -1)]
        if not kept:
            return frozenset()
        rows = [asdict(one) | {"event": one.id, "received": received} for one in kept]
        added = await connection.execute(statement, rows)
        return frozenset(added.scalars())


async def read_events(
    store: Store,
    accounts: Iterable[tuple[str, str]],
    *,
    since: int | None = None,
    before: int | None = None,
) -> list[LiveEvent]:
    """Live events of these (platform, user) accounts with since ≤ time < before, newest first.

    Ties in time come in reverse order of arrival. No account: no event.
    """
    wanted = sorted(set(accounts))
    found: list[tuple[int, int, LiveEvent]] = []
    async with store.read() as connection:
        for start in range(0, len(wanted), _BATCH):
            account = tuple_(LIVE_EVENTS.c.platform, LIVE_EVENTS.c.user)
            statement = _select(since, before).where(account.in_(wanted[start : start + _BATCH]))
            found += [(row.time, row.seq, _event(row)) for row in await connection.execute(statement)]
    return [one for _, _, one in sorted(found, key=lambda entry: entry[:2], reverse=True)]


async def read_arrivals(store: Store, after: int = 0, limit: int = 50_000) -> tuple[list[LiveEvent], int]:
    """Up to `limit` events in order of arrival behind the mark `after`, and the mark to go on from."""
    statement = _select(None, None).where(LIVE_EVENTS.c.seq > after).order_by(LIVE_EVENTS.c.seq).limit(limit)
    async with store.read() as connection:
        rows = (await connection.execute(statement)).all()
    return [_event(row) for row in rows], rows[-1].seq if rows else after


def _select(since: int | None, before: int | None) -> Select:
    statement = select(LIVE_EVENTS)
    if since is not None:
        statement = statement.where(LIVE_EVENTS.c.time >= since)
    if before is not None:
        statement = statement.where(LIVE_EVENTS.c.time < before)
    return statement


def _event(row) -> LiveEvent:  # type: ignore[no-untyped-def]
    return LiveEvent(
        row.platform, row.user, row.listing, row.type, row.time, row.value, row.weight, row.polarity
    )
