"""Listings that came in live, as a running process knows them: over what the build says of the same item."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Set
from dataclasses import replace
from typing import Any

from recall.links_index import LinksIndex
from recall.store.engine import Store
from recall.store.items import LiveItem, count_items, load_items
from recall.types import Item, Listing

_FACTS = ("year", "creators", "categories", "description", "language", "min_age")
_GRAIN = 2
"""Seconds: changes within the store's clock tick can't be told from each other."""


class LiveItems:
    """By item id. Safe to use from several threads; call from threads that run no event loop.

    Another process's change is seen within `LOOK_SECONDS`; `look` makes the next question read the store.
    """

    LOOK_SECONDS = 1.0

    def __init__(self, store: Store, links: LinksIndex) -> None:
        self._store, self._links = store, links
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._counted: tuple[int, int] | None = None
        self._by_item: dict[str, dict[tuple[str, str], LiveItem]] = {}

    def look(self) -> None:
        """The next question reads what was written."""
        self._looked, self._counted = float("-inf"), None

    def ids(self) -> Set[str]:
        """Items that have a listing which came in live."""
        return self._now().keys()

    def over(self, id: str, item: Item | None) -> Item | None:
        """The item with the listings that came in live; None where neither knows it."""
        mine = self._now().get(id)
        if not mine:
            return item
        latest = list(mine.values())
        if item is None:
            item = Item(id=id, title="")
        rest = tuple(one for one in item.listings if (one.platform, one.listing) not in mine)
        titles = [one.title for one in latest if one.title]
        title = (titles[0] if titles and not rest else item.title) or next(iter(titles), latest[0].listing)
        item = replace(item, title=title)
        listings = (*rest, *(self._listing(one, item) for one in latest))

        def said(name: str) -> Any:
            """What came in last counts; what it leaves open stays as the build has it."""
            given = (getattr(one, name) for one in latest)
            return next((value for value in given if value not in (None, ())), getattr(item, name))

        return replace(
            item,
            listings=tuple(sorted(listings, key=lambda one: (one.platform, one.listing))),
            **{name: said(name) for name in _FACTS},
        )

    def _listing(self, one: LiveItem, item: Item) -> Listing:
        return Listing(
            platform=one.platform,
            listing=one.listing,
            title=one.title or item.title or one.listing,
            confidence=self._links.item(one.platform, one.listing)[1],
            price=one.price,
            url=one.url,
            image=one.image,
        )

    def _now(self) -> dict[str, dict[tuple[str, str], LiveItem]]:
        with self._lock:
            if time.monotonic() - self._looked < self.LOOK_SECONDS:
                return self._by_item
            self._read()
            self._looked = time.monotonic()
            return self._by_item

    def _read(self) -> None:
        counted = self._store.run(count_items(self._store))
        if counted == self._counted and counted[1] < time.time() - _GRAIN:
            return
        self._counted = counted
        found: dict[str, dict[tuple[str, str], LiveItem]] = defaultdict(dict)
        for one in self._store.run(load_items(self._store)):
            found[self._links.item(one.platform, one.listing)[0]][one.platform, one.listing] = one
        self._by_item = dict(found)
