"""Live events as a running process knows them: read from the store when something was written there."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from pathlib import Path

from recall.ids import MICRO
from recall.links_index import LinksIndex
from recall.store.engine import Store
from recall.store.events import LiveEvent, read_arrivals
from recall.types import Event

_TICK_NS = 50_000_000
"""A file's time has the kernel's tick as its grain: one changed this recently may change again unseen."""


class Live:
    """Events that came in after the build was made, by person. Safe to use from several threads.

    Call from threads that run no event loop. With SQLite a look costs two `stat` calls unless something was
    written; with PostgreSQL it is one query, so an event counts in the next answer whichever process took it.
    """

    def __init__(self, store: Store, links: LinksIndex) -> None:
        self._store = store
        self._links = links
        self._lock = threading.Lock()
        self._mark = 0
        self._seen: tuple[object, ...] | None = None
        self._by_person: dict[str, tuple[Event, ...]] = {}

    def of(self, person: str) -> tuple[Event, ...]:
        """The person's live events in order of time, ties in order of arrival, oldest first. StoreError
        when the store can't be read."""
        self._refresh()
        return self._by_person.get(person, ())

    def _refresh(self) -> None:
        with self._lock:
            state = self._state()
            if state is not None and state == self._seen:
                return
            while True:
                arrived, mark = self._store.run(read_arrivals(self._store, self._mark))
                if mark == self._mark:
                    break
                self._add(arrived)
                self._mark = mark
            self._seen = state

    def _state(self) -> tuple[object, ...] | None:
        """What changes with every commit of the SQLite file; None where that can't be told."""
        if not self._store.sqlite:
            return None
        state: list[object] = []
        for suffix in ("", "-wal"):
            try:
                found = Path(f"{self._store.url.database}{suffix}").stat()
            except FileNotFoundError:
                state.append(None)
                continue
            if time.time_ns() - found.st_mtime_ns < _TICK_NS:
                return None
            state.append((found.st_ino, found.st_size, found.st_mtime_ns))
        return tuple(state)

    def _add(self, arrived: list[LiveEvent]) -> None:
        fresh: dict[str, list[Event]] = defaultdict(list)
        for one in arrived:
            person, person_confidence = self._links.person(one.platform, one.user)
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
