"""Persons whose data were erased, as a running process knows them: hidden from the moment it is written."""

from __future__ import annotations

import threading

from recall.store.engine import Store
from recall.store.tombstones import PERSONS, Tombstones, count_tombstones, load_tombstones
from recall.store.watch import written


class Erased:
    """Safe to use from several threads; call from threads that run no event loop.

    With SQLite a look costs two `stat` calls unless something was written; with PostgreSQL it is one query,
    so that a person is hidden whichever process erased him.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._seen: tuple[object, ...] | None = None
        self._count: tuple[int, int] = (0, 0)
        self._stones = Tombstones()

    def until(self, person: str) -> int | None:
        """UTC seconds up to which nothing of this person may be shown; None: never erased."""
        stones = self._refreshed()
        return stones.erased(PERSONS, [person]).get(person) if stones.at else None

    def _refreshed(self) -> Tombstones:
        with self._lock:
            state = written(self._store)
            if state is not None and state == self._seen:
                return self._stones
            count = self._store.run(count_tombstones(self._store))
            if count != self._count:
                self._stones = self._store.run(load_tombstones(self._store))
                self._count = count
            self._seen = state
            return self._stones
