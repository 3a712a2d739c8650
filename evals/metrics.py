"""Ranking metrics with one relevant item per case, as compiled loops over cases × places."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def places(lists: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """int32[cases]: the place from 0 of each case's target in its row of int32[cases × n]; n when absent."""
    cases, n = lists.shape
    found = np.full(cases, n, np.int32)
    for case in range(cases):
        for place in range(n):
            if lists[case, place] == targets[case]:
                found[case] = place
                break
    return found


def hit_rate(place: np.ndarray, k: int) -> np.ndarray:
    """float64[cases]: 1 where the target is among the first k, else 0. With one target also recall@k."""
    return (place < k).astype(np.float64)


def ndcg(place: np.ndarray, k: int) -> np.ndarray:
    """float64[cases]: 1 / log2(place + 2) within the first k, else 0 (Järvelin, Kekäläinen 2002)."""
    return np.where(place < k, 1.0 / np.log2(place + 2.0), 0.0)


def reciprocal_rank(place: np.ndarray, k: int) -> np.ndarray:
    """float64[cases]: 1 / (place + 1) within the first k, else 0."""
    return np.where(place < k, 1.0 / (place + 1.0), 0.0)
