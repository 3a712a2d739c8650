"""The ledger of links in the store."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import cast

from sqlalchemy import delete, insert, select

from recall.links.ledger import Decision, Kind, Ledger
from recall.store.engine import Store
from recall.store.tables import ALIASES, LINK_DECISIONS


async def load_ledger(store: Store) -> Ledger:
    """All decisions in the order they were made, and the aliases."""
    async with store.read() as connection:
        rows = (await connection.execute(select(LINK_DECISIONS).order_by(LINK_DECISIONS.c.seq))).all()
        aliases = (await connection.execute(select(ALIASES.c.old, ALIASES.c.new))).all()
    decisions = tuple(
        Decision(
            cast(Kind, row.kind),
            row.action,
            (row.platform, row.key),
            None if row.other_platform is None else (row.other_platform, row.other_key),
            row.by,
            row.at,
        )
        for row in rows
    )
    return Ledger(decisions, {row.old: row.new for row in aliases})


async def add_decisions(store: Store, decisions: Sequence[Decision], *, now: int | None = None) -> None:
    """Append decisions; they count from the next ingest on. Nothing is ever changed or removed."""
    at = int(time.time()) if now is None else now
    rows = [
        {
            "kind": one.kind,
            "action": one.action,
            "platform": one.node[0],
            "key": one.node[1],
            "other_platform": one.other[0] if one.other else None,
            "other_key": one.other[1] if one.other else None,
            "by": one.by,
            "at": one.at or at,
        }
        for one in decisions
    ]
    if rows:
        async with store.write() as connection:
            await connection.execute(insert(LINK_DECISIONS), rows)


async def save_aliases(store: Store, aliases: Mapping[str, str], *, now: int | None = None) -> None:
    """Make `aliases` (from Ledger.follow) the ones in force, in one transaction."""
    at = int(time.time()) if now is None else now
    rows = [{"old": old, "new": new, "at": at} for old, new in sorted(aliases.items())]
    async with store.write() as connection:
        await connection.execute(delete(ALIASES))
        if rows:
            await connection.execute(insert(ALIASES), rows)
