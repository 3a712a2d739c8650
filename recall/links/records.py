"""A listing as matching sees it, and how well two of them agree beyond the title."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from recall.ids import SEPARATOR
from recall.links.titles import Title, parse_title

COMMON = 1 / 3
"""Two platforms' categories say something about each other when this share of the smaller set is in both."""
_STRANGE = 0.5
"""Agreement where one side has only categories that the other platform does not know."""
_APART = frozenset({"short", "documentary", "adult", "tv series", "tv mini-series"})
"""Categories that tell works apart whatever else they share, where both platforms use them."""


@dataclass(frozen=True, slots=True)
class Record:
    """One listing."""

    platform: str
    listing: str
    title: Title
    year: int | None
    categories: frozenset[str] = frozenset()
    creators: frozenset[str] = frozenset()
    ids: frozenset[tuple[str, str]] = frozenset()


def record(platform: str, listing: str, row: dict[str, Any]) -> Record:
    """From a row of a listings table; `external_ids` are a map or texts of kind, separator and value."""
    ids = row.get("external_ids") or ()
    pairs = [tuple(one.split(SEPARATOR, 1)) if isinstance(one, str) else tuple(one) for one in ids]
    return Record(
        platform,
        listing,
        parse_title(row.get("title") or ""),
        row.get("year"),
        frozenset(name.casefold() for name in row.get("categories") or ()),
        frozenset(name.casefold() for name in row.get("creators") or ()),
        frozenset((str(kind), str(value)) for kind, value in pairs),
    )


@dataclass(frozen=True, slots=True)
class Agreement:
    """Compares listings by categories and creators. Platforms with words of their own say nothing."""

    common: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    """For two platforms (the smaller name first) the categories that both use; empty where too few."""

    @classmethod
    def of(cls, records: Sequence[Record]) -> Agreement:
        words: dict[str, set[str]] = defaultdict(set)
        for one in records:
            words[one.platform] |= one.categories
        common = {
            (a, b): frozenset(words[a] & words[b])
            for a, b in combinations(sorted(words), 2)
            if len(words[a] & words[b]) >= COMMON * min(len(words[a]), len(words[b])) > 0
        }
        return cls(common | {(name, name): frozenset(found) for name, found in words.items()})

    def silent(self, one: Record, two: Record) -> bool:
        """Whether nothing but the title and year is known of one of them."""
        return not (one.categories and two.categories) and not (one.creators and two.creators)

    def closeness(self, one: Record, two: Record) -> float:
        """0 (nothing in common) to 1 (all, or nothing known): the weaker of categories and creators."""
        pair = (one.platform, two.platform) if one.platform <= two.platform else (two.platform, one.platform)
        words = self.common.get(pair, frozenset())
        categories = (one.categories & words, two.categories & words)
        if categories[0] and categories[1] and (categories[0] ^ categories[1]) & _APART:
            return 0.0
        shares = [len(a & b) / len(a | b) for a, b in (categories, (one.creators, two.creators)) if a and b]
        if words and one.categories and two.categories and not (categories[0] and categories[1]):
            shares.append(_STRANGE)
        return min(shares, default=1.0)
