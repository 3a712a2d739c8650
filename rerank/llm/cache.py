"""Answers of language models in the store, each under a keyed hash of model, question and person.

Writes are queued and committed in groups, off the caller's way: a process that is killed loses what was not
yet committed, and nothing else. Nothing stays in memory once it is in the store, so that what one process
erases no other one serves. A store that fails costs the answers, never the call.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, text

from recall.errors import StoreError
from recall.store import Store
from recall.store.events import ERASURE_LOCK
from recall.store.keys import store_key
from recall.store.tombstones import buried, bury
from rerank.aliases import known_as
from rerank.groups import Groups
from rerank.llm.limits_config import CacheConfig
from rerank.llm.tables import MODEL_ANSWERS

LOOK_SECONDS = 0.5
"""How long a call waits at most for the store to tell whether it knows the answer."""

SWEEP = 200
"""Commits after which what is too old or too much is thrown away."""

ERASED_SECONDS = 600
"""How long after an erasure no process keeps anything new of a person: calls under way end within it."""

ANSWERS = "*answers"
"""Stands for the platform in the tombstone of a person's answers; his hash takes the user's place."""

DAY = 86_400

_BATCH = 400  # keys per statement: SQLite takes at most 32,766 parameters, PostgreSQL 32,767

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it is kept. `value` is JSON."""

    key: str
    person: str
    model: str
    value: Mapping[str, Any]
    time: float


class Cache:
    """Belongs to one event loop. Keys and persons are hashes under a key of this store."""

    def __init__(self, store: Store, config: CacheConfig) -> None:
        self._store, self._config = store, config
        self._secret: bytes | None = None
        self._queued: dict[str, Kept] = {}
        self._groups: Groups[Kept] = Groups(self._commit, self._gone, name="cache")
        self._commits = 0

    async def key(self, *parts: Any) -> str:
        """The key of a question. `parts` are JSON; StoreError when the store's key can't be had."""
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return await self._hash(text)

    async def person(self, id: str | None) -> str:
        return await self._hash("nobody" if id is None else f"person {id}")

    async def get(self, keys: Iterable[str], *, seconds: float = LOOK_SECONDS) -> dict[str, Kept]:
        """Those that are known and not too old; none when the store does not tell within `seconds`."""
        wanted = set(keys)
        found = {key: self._queued[key] for key in wanted if key in self._queued}
        found |= await self._read(sorted(wanted - set(found)), seconds)
        oldest = time.time() - self._config.max_days * DAY
        return {key: kept for key, kept in found.items() if kept.time >= oldest}

    def put(self, key: str, person: str, model: str, value: Mapping[str, Any]) -> None:
        """Keep an answer; `value` is JSON. Nothing is kept of a person who was erased a moment ago."""
        self._queued[key] = kept = Kept(key, person, model, value, time.time())
        self._groups.add(kept)

    async def forget(self, person: str) -> int:
        """Erase a person's answers, under every id that he had; the number of those in the store."""
        async with self._store.read() as connection:
            ids = await known_as(connection, person)
        people = [await self.person(id) for id in ids]
        await self.flush()
        await bury(self._store, [(ANSWERS, one) for one in people])
        await self.flush()  # what was put meanwhile: none of it is kept
        async with self._store.write() as connection:
            if not self._store.sqlite:  # SQLite has one writer at a time
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({ERASURE_LOCK})"))
            mine = MODEL_ANSWERS.c.person.in_(people)
            gone = (await connection.execute(delete(MODEL_ANSWERS).where(mine))).rowcount
        return gone

    async def flush(self) -> None:
        """Wait until what was put so far is durable; StoreError when an attempt failed."""
        await self._groups.flush()

    async def sweep(self) -> None:
        """Throw away what is too old, then the oldest until the rest fits."""
        oldest = int(time.time() - self._config.max_days * DAY)
        most = int(self._config.max_mb * 1_000_000)
        newest_first = MODEL_ANSWERS.c.time.desc(), MODEL_ANSWERS.c.key
        running = func.sum(MODEL_ANSWERS.c.size).over(order_by=newest_first)
        sums = select(MODEL_ANSWERS.c.key, running.label("sum")).subquery()
        over = select(sums.c.key).where(sums.c.sum > most)
        async with self._store.write() as connection:
            await connection.execute(delete(MODEL_ANSWERS).where(MODEL_ANSWERS.c.time < oldest))
            await connection.execute(delete(MODEL_ANSWERS).where(MODEL_ANSWERS.c.key.in_(over)))

    async def aclose(self) -> None:
        """Write what is queued; where the store takes nothing, it is given up."""
        with suppress(StoreError):
            await self._groups.aclose()

    async def _hash(self, text: str) -> str:
        if self._secret is None:
            self._secret = await store_key(self._store, "cache")
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()

    async def _read(self, keys: Sequence[str], seconds: float) -> dict[str, Kept]:
        found: dict[str, Kept] = {}
        try:
            async with asyncio.timeout(seconds):
                for start in range(0, len(keys), _BATCH):
                    wanted = MODEL_ANSWERS.c.key.in_(keys[start : start + _BATCH])
                    async with self._store.read() as connection:
                        rows = await connection.execute(select(MODEL_ANSWERS).where(wanted))
                        found |= {row.key: _kept(row) for row in rows}
        except (StoreError, TimeoutError) as error:
            _log.warning("cache: the store does not tell (%s)", type(error).__name__)
        return found

    def _gone(self, kept: Kept) -> None:
        if self._queued.get(kept.key) is kept:
            del self._queued[kept.key]

    async def _commit(self, entries: list[Kept]) -> None:
        rows: dict[str, dict[str, Any]] = {}
        for kept in entries:
            answer = json.dumps(kept.value, separators=(",", ":"))
            rows[kept.key] = {
                "key": kept.key,
                "person": kept.person,
                "model": kept.model.replace("\0", "\ufffd").encode("utf-8", "replace").decode(),
                "answer": answer,
                "size": len(answer),
                "time": int(kept.time),
            }
        insert = self._store.insert(MODEL_ANSWERS)
        changed = {name: insert.excluded[name] for name in ("person", "model", "answer", "size", "time")}
        statement = insert.on_conflict_do_update(index_elements=["key"], set_=changed)
        async with self._store.write() as connection:
            if not self._store.sqlite:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock_shared({ERASURE_LOCK})"))
            gone = await buried(connection, {(ANSWERS, row["person"]) for row in rows.values()})
            kept_rows = [
                row
                for row in rows.values()
                if row["time"] >= gone.get((ANSWERS, row["person"]), -ERASED_SECONDS) + ERASED_SECONDS
            ]
            if kept_rows:
                await connection.execute(statement, kept_rows)
        self._commits += 1
        if self._commits % SWEEP == 1:
            await self.sweep()


def _kept(row: Any) -> Kept:
    return Kept(row.key, row.person, row.model, json.loads(row.answer), row.time)
