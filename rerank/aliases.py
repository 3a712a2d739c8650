"""The ids under which a person was known before his accounts were linked differently."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from recall.store.tables import ALIASES


async def known_as(connection: AsyncConnection, id: str) -> list[str]:
    """`id` first, then every older id that the alias ledger leads to it."""
    known, newest = [id], [id]
    while newest:
        older = select(ALIASES.c.old).where(ALIASES.c.new.in_(newest)).order_by(ALIASES.c.old)
        newest = [old for old in (await connection.execute(older)).scalars() if old not in known]
        known += newest
    return known
