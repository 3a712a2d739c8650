"""The rules that take items out before ranking, and how many each took."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import Counter, OrderedDict
from collections.abc import Hashable, Mapping

import numpy as np

from recall.attributes import Tags
from recall.recallers.query import ANY
from recall.types import Filters

_MASK_BYTES = 32_000_000
"""What the remembered masks may take together."""


class Rules:
    """The catalogue's attributes (arrays of recall/attributes.py; none: only listing is known).

    Requests repeat their platform and filters: masks are remembered, for as long as no listing begins or ends
    to be available. Safe to use from several threads.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], listed: np.ndarray) -> None:
        self._arrays = arrays
        self._listed = listed
        self._any = listed.any(axis=0) if len(listed) else np.zeros(listed.shape[1], bool)
        self.categories = Tags.open(arrays, "categories") if arrays else None
        self.creators = Tags.open(arrays, "creators") if arrays else None
        self._changes: list[int] = []
        if arrays:
            times = np.unique(
                np.concatenate([arrays["available_from"].ravel(), arrays["available_to"].ravel()])
            )
            self._changes = times.tolist()
        self._masks: OrderedDict[Hashable, tuple[np.ndarray, dict[str, int]]] = OrderedDict()
        self._kept = max(4, min(256, _MASK_BYTES // max(listed.shape[1], 1)))
        self._lock = threading.Lock()

    def allowed(
        self, filters: Filters, *, platform: int, as_of: int, blocked: np.ndarray
    ) -> tuple[np.ndarray, dict[str, int]]:
        """bool[items] that may be proposed, and what each rule removed of what the rules before it left.

        An item whose language, price or minimum age is not known passes the rule; one without categories
        passes `categories_out` only. Both are remembered: copy before writing.
        """
        key = (
            platform,
            bisect_right(self._changes, as_of),
            blocked.tobytes(),
            filters.categories_in,
            filters.categories_out,
            filters.languages,
            filters.price_max,
            filters.max_age_rating,
        )
        with self._lock:
            found = self._masks.get(key)
            if found is not None:
                self._masks.move_to_end(key)
                return found
        found = self._mask(filters, platform, as_of, blocked)
        with self._lock:
            self._masks[key] = found
            while len(self._masks) > self._kept:
                self._masks.popitem(last=False)
        return found

    def _mask(
        self, filters: Filters, platform: int, as_of: int, blocked: np.ndarray
    ) -> tuple[np.ndarray, dict[str, int]]:
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
