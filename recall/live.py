"""Live events as a running process knows them: read from the store when something was written there."""

from __future__ import annotations

import threading
from collections import defaultdict

from recall.ids import MICRO
from recall.links_index import LinksIndex
from recall.store.engine import Store
from recall.store.events import LiveEvent, read_arrivals
from recall.store.watch import Mark, written
from recall.types import Event


class Live:
    """Events that came in after the build was made, by person. Safe to use from several threads.

    Call from threads that run no event loop. With SQLite a look costs some microseconds unless something was
    written; with PostgreSQL it is one query, so an event counts in the next answer whichever process took it.
    """

    def __init__(self, store: Store, links: LinksIndex) -> None:
        self._store = store
        self._links = links
        self._lock = threading.Lock()
        self._mark = 0
        self._seen: Mark = None
        self._by_person: dict[str, tuple[Event, ...]] = {}
        self._accounts: dict[str, set[tuple[str, str]]] = defaultdict(set)

    def of(self, person: str, mark: Mark = None) -> tuple[Event, ...]:
        """The person's live events in order of time, ties in order of arrival, oldest first. StoreError
        when the store can't be read. `mark` is what recall.store.watch.written said a moment ago."""
        if not self.knows(mark):
            self._refresh()
        return self._by_person.get(person, ())

    def knows(self, mark: Mark) -> bool:
        """Whether `of` answers from memory. `_seen` is set last, so that needs no lock."""
        return mark is not None and mark == self._seen

    def accounts(self, person: str) -> set[tuple[str, str]]:
        """(platform, user) of the accounts that these events came from."""
        self._refresh()
        return set(self._accounts.get(person, ()))

    def forget(self, person: str) -> None:
        """Keep nothing of this person in memory."""
        with self._lock:
            self._by_person.pop(person, None)
            self._accounts.pop(person, None)

    def _refresh(self) -> None:
        with self._lock:
            state = written(self._store)
            if self.knows(state):
                return
            while True:
                arrived, mark = self._store.run(read_arrivals(self._store, self._mark))
                if mark == self._mark:
                    break
                self._add(arrived)
                self._mark = mark
            self._seen = state

    def _add(self, arrived: list[LiveEvent]) -> None:
        fresh: dict[str, list[Event]] = defaultdict(list)
        for one in arrived:
            person, person_confidence = self._links.person(one.platform, one.user)
            self._accounts[person].add((one.platform, one.user))
            item, item_confidence = self._links.item(one.platform, one.listing)
            confidence = person_confidence * item_confidence
            fresh[person].append(_event(one, item, confidence))
        for person, events in fresh.items():
            whole = (*self._by_person.get(person, ()), *events)
            self._by_person[person] = tuple(sorted(whole, key=lambda event: event.time))


def _event(one: LiveEvent, item: str, confidence: float) -> Event:
    return Event(
        one.id,
        one.platform,
        item,
        one.type,
        one.time,
        one.value,
        one.weight / MICRO,
        one.polarity,
        confidence,
    )
