"""Stored knowledge as a running process knows it: read once, kept in memory, read again when it changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from sqlalchemy import select

from recall.erased import Erased
from recall.store import Store
from recall.store.tables import ALIASES
from rerank.aliases import known_as
from rerank.knowledge.store import changed, count_writes, load_facts, load_profile
from rerank.knowledge.types import Fact, Profile

T = TypeVar("T")

MOST_ITEMS, MOST_PROFILES = 100_000, 10_000
"""Kept in memory, some kilobytes each; those read first go first."""

LOOK_SECONDS = 0.2
"""On PostgreSQL, where a look is a query: how long the last one holds."""


class StoredKnowledge:
    """rerank.knowledge.types.Knowledge over the store. Safe to use from several threads; call from threads
    that run no event loop.

    On SQLite a look costs microseconds and no query unless knowledge was written; what is asked for the
    second time comes from memory, and where nothing was ever extracted nothing is read. An erased person has
    no profile from the moment the erasure is written, whichever process did it. StoreError when the
    store can't be read.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._erased = Erased(store)
        self._lock = threading.Lock()
        self._mark: int | None = None
        self._looked = float("-inf")
        self._facts: _Kept[tuple[Fact, ...]] = _Kept(MOST_ITEMS)
        self._profiles: _Kept[Profile | None] = _Kept(MOST_PROFILES)

    def facts(self, items: Sequence[str]) -> dict[str, tuple[Fact, ...]]:
        """Facts by item, surest first; items without any are left out. Ids are read through the aliases."""
        kept, _ = self._fresh()
        if self._mark == 0:
            return {}
        known = {item: facts for item in items if (facts := kept.get(item)) is not None}
        missing = [item for item in dict.fromkeys(items) if item not in known]
        if missing:
            found = self._store.run(_facts(self._store, missing))
            for item in missing:
                known[item] = found.get(item, ())
                kept.put(item, known[item])
        return {item: facts for item, facts in known.items() if facts}

    def profile(self, person: str) -> Profile | None:
        """None where none was extracted, or the person was erased since."""
        _, kept = self._fresh()
        if self._mark == 0:
            return None
        if person in kept:
            found = kept.get(person)
        else:
            found = self._store.run(_profile(self._store, person))
            kept.put(person, found)
        if found is None:
            return None
        until = self._erased.until(person)
        return None if until is not None and until >= found.time else found

    def look(self) -> None:
        """Keep nothing of what was read: ids lead elsewhere since another build is current."""
        with self._lock:
            self._mark, self._looked = None, float("-inf")
            self._forget()

    def _fresh(self) -> tuple[_Kept[tuple[Fact, ...]], _Kept[Profile | None]]:
        """What is kept and still holds. A thread that read before a change puts what it read into the old
        ones, where nobody looks any more."""
        with self._lock:
            mark = changed(self._store)
            if mark is None and time.monotonic() - self._looked >= LOOK_SECONDS:
                mark = self._store.run(count_writes(self._store))
                self._looked = time.monotonic()
            if mark is not None and mark != self._mark:
                self._forget()
                self._mark = mark
            return self._facts, self._profiles

    def _forget(self) -> None:
        self._facts, self._profiles = _Kept(MOST_ITEMS), _Kept(MOST_PROFILES)


class HeldKnowledge:
    """Knowledge that is in memory already: of an evaluation, which extracts from what came before its cut."""

    def __init__(
        self, facts: Mapping[str, Sequence[Fact]] | None = None, profiles: Mapping[str, Profile] | None = None
    ) -> None:
        """Facts by item, in any order; profiles by person."""
        self._facts = {
            item: tuple(sorted(some, key=lambda fact: (-fact.confidence, fact.kind, fact.value)))
            for item, some in (facts or {}).items()
        }
        self._profiles = dict(profiles or {})

    def facts(self, items: Sequence[str]) -> dict[str, tuple[Fact, ...]]:
        return {item: facts for item in items if (facts := self._facts.get(item))}

    def profile(self, person: str) -> Profile | None:
        return self._profiles.get(person)


class _Kept(Generic[T]):
    """At most so many values by id. Safe from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[str, T] = {}
        self._lock = threading.Lock()

    def __contains__(self, id: str) -> bool:
        return id in self._values

    def get(self, id: str) -> T | None:
        return self._values.get(id)

    def put(self, id: str, value: T) -> None:
        with self._lock:
            self._values[id] = value
            while len(self._values) > self._most:
                del self._values[next(iter(self._values))]


async def _facts(store: Store, items: Sequence[str]) -> dict[str, tuple[Fact, ...]]:
    """Of items that have none under their own id, those under an older one."""
    found = await load_facts(store, items)
    older = await _older(store, [item for item in items if item not in found])
    if older:
        earlier = await load_facts(store, list(older))
        for old, item in older.items():  # nearest first
            if old in earlier and item not in found:
                found[item] = tuple(replace(fact, item=item) for fact in earlier[old])
    return found


async def _older(store: Store, items: Sequence[str]) -> dict[str, str]:
    """Older id → the one of `items` that the alias ledger leads it to, nearest first."""
    found: dict[str, str] = {}
    leads = {item: item for item in items}
    async with store.read() as connection:
        while leads:
            following: dict[str, str] = {}
            ids = list(leads)
            for start in range(0, len(ids), 400):
                some = ALIASES.c.new.in_(ids[start : start + 400])
                rows = select(ALIASES.c.old, ALIASES.c.new).where(some).order_by(ALIASES.c.old)
                for row in await connection.execute(rows):
                    if row.old not in found and row.old not in leads:
                        following[row.old] = leads[row.new]
            found |= following
            leads = following
    return found


async def _profile(store: Store, person: str) -> Profile | None:
    async with store.read() as connection:
        ids = await known_as(connection, person)
    for id in ids:
        profile = await load_profile(store, id)
        if profile is not None:
            return replace(profile, person=person)
    return None
