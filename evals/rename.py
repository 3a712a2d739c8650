"""Items under made-up titles: what a model still ranks well without real ones, it did not remember."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from recall.protocols import Library, Stock
from recall.types import History, Item

_FIRST = [
    "Amber",
    "Birch",
    "Cobalt",
    "Dusk",
    "Ember",
    "Flint",
    "Glass",
    "Harbor",
    "Iron",
    "Juniper",
    "Kestrel",
    "Lunar",
    "Marble",
    "North",
    "Opal",
    "Pale",
    "Quiet",
    "River",
    "Silver",
    "Thorn",
    "Umber",
    "Velvet",
]
_LAST = [
    "Anchor",
    "Bridge",
    "Canyon",
    "Door",
    "Echo",
    "Field",
    "Garden",
    "House",
    "Island",
    "Journey",
    "Key",
    "Lantern",
    "Mirror",
    "Number",
    "Orchard",
    "Passage",
    "Road",
    "Station",
    "Tower",
    "Voyage",
    "Window",
]


def renamed(item: Item) -> Item:
    """The same facts under a title that its id gives, such as "Quiet Harbor 417"; creators and texts go."""
    digest = hashlib.sha256(item.id.encode()).digest()
    first, last = _FIRST[digest[0] % len(_FIRST)], _LAST[digest[1] % len(_LAST)]
    title = f"{first} {last} {int.from_bytes(digest[2:4]) % 1000}"
    listings = tuple(replace(listing, title=title) for listing in item.listings)
    return replace(item, title=title, creators=(), description=None, listings=listings)


class RenamedLibrary:
    """A library whose items are renamed."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def person(self, platform: str, user: str) -> str:
        return self._library.person(platform, user)

    def history(self, person: str, *, platform: str | None = None, as_of: int | None = None) -> History:
        return self._library.history(person, platform=platform, as_of=as_of)

    def had(self, person: str, *, platform: str | None = None, as_of: int | None = None) -> frozenset[str]:
        return self._library.had(person, platform=platform, as_of=as_of)

    def items(self, ids: Sequence[str]) -> list[Item]:
        return [renamed(item) for item in self._library.items(ids)]


def renamed_stock(stock: Stock) -> Stock:
    return replace(stock, library=RenamedLibrary(stock.library))
