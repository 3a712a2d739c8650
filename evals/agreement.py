"""How alike two orders of the same items are: Kendall's tau and rank-biased overlap."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean

import numpy as np

PERSISTENCE = 0.9
"""Of rank-biased overlap: the first ten places carry 86 % of its weight."""


def kendall(first: Sequence[int], second: Sequence[int]) -> float:
    """Tau of two orders of the same distinct items: 1 the same, 0 unrelated, -1 reversed. 1 below two items.

    (concordant − discordant) / pairs, Kendall 1938; there are no ties in an order. ValueError where the items
    differ.
    """
    n = len(first)
    if n < 2:
        _same(first, second)
        return 1.0
    place = _places(first, second)
    above, below = np.triu_indices(n, 1)
    return float(np.sign(place[below] - place[above]).mean())


def overlap(first: Sequence[int], second: Sequence[int], p: float = PERSISTENCE) -> float:
    """Rank-biased overlap (extrapolated, Webber et al. 2010, eq. 32) of two orders of the same items.

    1 the same; what two random orders have depends on their length. ValueError where the items differ.
    """
    n = len(first)
    if n == 0:
        _same(first, second)
        return 1.0
    place = _places(first, second)
    later = np.maximum(place, np.arange(n))  # the depth from which on both prefixes hold the item
    depth = np.arange(1, n + 1)
    common = np.cumsum(np.bincount(later, minlength=n))
    weights = p**depth
    return float(common[-1] / n * p**n + (1 - p) / p * (common / depth * weights).sum())


def mean_agreement(orders: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Mean tau and mean overlap over all pairs of these orders; NaN for fewer than two."""
    pairs = list(combinations(orders, 2))
    if not pairs:
        return float("nan"), float("nan")
    return fmean(kendall(a, b) for a, b in pairs), fmean(overlap(a, b) for a, b in pairs)


def _places(first: Sequence[int], second: Sequence[int]) -> np.ndarray:
    """int64[n]: where in `second` each item of `first` stands, in the order of `first`."""
    _same(first, second)
    where = {item: place for place, item in enumerate(second)}
    return np.array([where[item] for item in first], np.int64)


def _same(first: Sequence[int], second: Sequence[int]) -> None:
    if len(set(first)) != len(first) or sorted(first) != sorted(second):
        raise ValueError("two orders can be compared only where they order the same distinct items")
