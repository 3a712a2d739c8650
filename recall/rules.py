"""The rules that take items out before ranking, and how many each took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from recall.attributes import Tags
from recall.recallers.query import ANY
from recall.types import Filters


class Rules:
    """The catalogue's attributes (arrays of recall/attributes.py; none: only listing is known)."""

    def __init__(self, arrays: Mapping[str, np.ndarray], listed: np.ndarray) -> None:
        self._arrays = arrays
        self._listed = listed
        self._any = listed.any(axis=0) if len(listed) else np.zeros(listed.shape[1], bool)
        self.categories = Tags.open(arrays, "categories") if arrays else None
        self.creators = Tags.open(arrays, "creators") if arrays else None

    def allowed(
        self, filters: Filters, *, platform: int, as_of: int, blocked: np.ndarray
    ) -> tuple[np.ndarray, dict[str, int]]:
        """bool[items] that may be proposed, and what each rule removed of what the rules before it left.

        An item whose language, price or minimum age is not known passes the rule; one without categories
        passes `categories_out` only.
        """
        allowed = np.array(self._any if platform == ANY else self._listed[platform])
        removed: dict[str, int] = {}

        def keep(rule: str, passing: np.ndarray | np.bool) -> None:
            before = int(np.count_nonzero(allowed))
            np.logical_and(allowed, passing, out=allowed)
            if taken := before - int(np.count_nonzero(allowed)):
                removed[rule] = taken

        if len(blocked):
            passing = np.ones(len(allowed), bool)
            passing[blocked] = False
            keep("blocked", passing)
        if not self._arrays or self.categories is None:
            return allowed, removed
        layers = self._listed if platform == ANY else self._listed[platform : platform + 1]
        span = slice(None) if platform == ANY else slice(platform, platform + 1)
        start, end = self._arrays["available_from"][span], self._arrays["available_to"][span]
        keep("unavailable", np.any(layers & (start <= as_of) & (as_of < end), axis=0))
        if filters.categories_in:
            keep("categories_in", self.categories.having(filters.categories_in))
        if filters.categories_out:
            keep("categories_out", ~self.categories.having(filters.categories_out))
        if filters.languages:
            keep("languages", self._speaks(filters.languages))
        if filters.price_max is not None:
            price = self._arrays["price"][span]
            keep("price_max", (layers & ((price <= filters.price_max) | np.isinf(price))).any(axis=0))
        if filters.max_age_rating is not None:
            keep("max_age_rating", np.asarray(self._arrays["min_age"] <= filters.max_age_rating))
        return allowed, removed

    def _speaks(self, languages: frozenset[str]) -> np.ndarray:
        wanted = {language.casefold() for language in languages}
        codes = [i for i, name in enumerate(self._arrays["languages"]) if str(name).casefold() in wanted]
        return np.isin(self._arrays["language"], [*codes, -1])


def at_most(tags: Tags, rows: np.ndarray, limit: int) -> np.ndarray:
    """bool over rows (best first): kept so that no tag occurs more than `limit` times among the kept."""
    seen: Counter[int] = Counter()
    keep = np.ones(len(rows), bool)
    for place, row in enumerate(rows):
        mine = tags.of(int(row)).tolist()
        if any(seen[code] >= limit for code in mine):
            keep[place] = False
        else:
            seen.update(mine)
    return keep
