"""What a key's requests may take from language models in a day, over all workers, counted in the store.

A request is asked for before and counted after: the requests that are under way when the limit is reached may
pass it, each by what it takes.
"""

from __future__ import annotations

import time

from sqlalchemy import select

from api.keys import Key
from api.security import SecurityConfig
from api.tables import KEY_USE
from recall.store import Store

_KIND = "tokens"
_DAY = 86_400


class Allowance:
    """Tokens by key and day (UTC). Keys without a limit cost nothing here."""

    def __init__(self, store: Store, config: SecurityConfig) -> None:
        self._store = store
        self._usual = config.tokens_per_day

    async def spent(self, key: Key, *, now: float | None = None) -> bool:
        """Whether nothing is left of the key's day."""
        limit = self._limit(key)
        if not limit:
            return False
        mine = (KEY_USE.c.key == key.id) & (KEY_USE.c.kind == _KIND) & (KEY_USE.c.window == _day(now))
        async with self._store.read() as connection:
            used = (await connection.execute(select(KEY_USE.c.used).where(mine))).scalar()
        return (used or 0) >= limit

    async def add(self, key: Key, tokens: int, *, now: float | None = None) -> None:
        """Count what a request took."""
        if not tokens or not self._limit(key):
            return
        statement = self._store.insert(KEY_USE).values(key=key.id, kind=_KIND, window=_day(now), used=tokens)
        statement = statement.on_conflict_do_update(
            index_elements=["key", "kind", "window"], set_={"used": KEY_USE.c.used + tokens}
        )
        async with self._store.write() as connection:
            await connection.execute(statement)

    def limits(self, key: Key) -> bool:
        """Whether the key has a limit at all."""
        return bool(self._limit(key))

    def _limit(self, key: Key) -> int:
        return self._usual if key.tokens_per_day is None else key.tokens_per_day


def _day(now: float | None) -> int:
    return int((time.time() if now is None else now) // _DAY)
