"""How much a key may use in a window of time, over all workers, counted in the store.

A worker takes a share of what is left in one transaction and hands it out from memory, so that a request
seldom waits for the store. What was taken is counted as used: workers together never go over the limit, and
leave at most one share each unused.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import delete

from api.tables import KEY_USE
from recall.store import Store

_SHARES = 20
"""A worker takes at most this part of the limit at a time."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one more is allowed; `left` of `limit` as this worker knows it; `reset` in seconds."""

    allowed: bool
    limit: int
    left: int
    reset: int

    def headers(self) -> dict[str, str]:
        shown = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.left),
            "RateLimit-Reset": str(self.reset),
        }
        return shown if self.allowed else {**shown, "Retry-After": str(self.reset)}


@dataclass(slots=True)
class _Share:
    window: int = -1
    left: int = 0
    used: int = 0


class Rates:
    """Counts one kind of use, for example requests by the minute."""

    def __init__(self, store: Store, kind: str, *, seconds: int) -> None:
        self._store = store
        self._kind = kind
        self._seconds = seconds
        self._shares: dict[str, _Share] = defaultdict(_Share)
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._swept = -1

    async def take(self, key: str, limit: int, *, now: float | None = None) -> Verdict:
        """Take one of `limit` per window."""
        now = time.time() if now is None else now
        window = int(now // self._seconds)
        reset = max(1, int((window + 1) * self._seconds - now))
        share = self._shares[key]
        if share.window != window or share.left == 0:
            async with self._locks[key]:
                if share.window != window or share.left == 0:
                    await self._refill(share, key, limit, window)
        if share.left == 0:
            return Verdict(False, limit, 0, reset)
        share.left -= 1
        return Verdict(True, limit, max(0, limit - share.used) + share.left, reset)

    async def _refill(self, share: _Share, key: str, limit: int, window: int) -> None:
        share.left = 0
        for amount in dict.fromkeys((max(1, limit // _SHARES), 1)):
            used = await self._add(key, limit, window, amount)
            if used is not None:
                share.window, share.left, share.used = window, amount, used
                return
        share.window, share.used = window, limit

    async def _add(self, key: str, limit: int, window: int, amount: int) -> int | None:
        """What is used after adding `amount`; None where that would go over the limit."""
        if amount > limit:
            return None
        statement = self._store.insert(KEY_USE).values(key=key, kind=self._kind, window=window, used=amount)
        statement = statement.on_conflict_do_update(
            index_elements=["key", "kind", "window"],
            set_={"used": KEY_USE.c.used + amount},
            where=KEY_USE.c.used + amount <= limit,
        )
        async with self._store.write() as connection:
            if self._swept != window:
                self._swept = window
                old = (KEY_USE.c.kind == self._kind) & (KEY_USE.c.window < window - 1)
                await connection.execute(delete(KEY_USE).where(old))
            return (await connection.execute(statement.returning(KEY_USE.c.used))).scalar()
