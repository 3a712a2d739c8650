"""Persons whose data were erased, as a running process knows them: hidden from the moment it is written."""

from __future__ import annotations

import threading

from recall.store.engine import Store
from recall.store.tombstones import PERSONS, Tombstones, count_tombstones, load_tombstones
from recall.store.watch import Mark, written


class Erased:
    """Safe to use from several threads; call from threads that run no event loop.

    With SQLite a look costs some microseconds unless something was written; with PostgreSQL it is one query,
    so that a person is hidden whichever process erased him.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._seen: Mark = None
        self._count: tuple[int, int] = (0, 0)
        self._stones = Tombstones()

    def until(self, person: str, mark: Mark = None) -> int | None:
        """UTC seconds up to which nothing of this person may be shown; None: never erased.

        `mark` is what recall.store.watch.written said a moment ago."""
        stones = self._stones if self.knows(mark) else self._refreshed()
        return stones.erased(PERSONS, [person]).get(person) if stones.at else None

    def knows(self, mark: Mark) -> bool:
        """Whether `until` answers from memory. `_seen` is set last, so that needs no lock."""
        return mark is not None and mark == self._seen

    def _refreshed(self) -> Tombstones:
        with self._lock:
            state = written(self._store)
            if self.knows(state):
                return self._stones
            count = self._store.run(count_tombstones(self._store))
            if count != self._count:
                self._stones = self._store.run(load_tombstones(self._store))
                self._count = count
            self._seen = state
            return self._stones
