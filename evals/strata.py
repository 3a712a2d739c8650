"""Who takes part: segments of people, and a seeded draw that keeps their shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def length(liked: int) -> str:
    """Segment of a history by its liked items: 0, 1-4, 5-19, 20+, as the recallers' weights have it."""
    return "0" if liked == 0 else "1-4" if liked < 5 else "5-19" if liked < 20 else "20+"


def draw(strata: Sequence[tuple[str, ...]], people: int, *, seed: int) -> np.ndarray:
    """Ascending positions of at most `people`, drawn so that every stratum keeps its share.

    Shares are rounded by largest remainder; a stratum's people are drawn evenly. All when there are no more.
    """
    if people >= len(strata):
        return np.arange(len(strata))
    names = sorted(set(strata))
    codes = np.array([names.index(stratum) for stratum in strata])
    counts = np.bincount(codes, minlength=len(names))
    exact = counts * people / len(strata)
    taken = np.floor(exact).astype(int)
    missing = people - int(taken.sum())
    by_remainder = np.lexsort((np.arange(len(names)), -(exact - taken)))
    taken[by_remainder[:missing]] += 1
    rng = np.random.default_rng(seed)
    chosen = [
        rng.choice(np.flatnonzero(codes == code), taken[code], replace=False) for code in range(len(names))
    ]
    return np.sort(np.concatenate(chosen))
