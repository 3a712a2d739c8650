"""All ranking metrics at several cut-offs in one compiled pass over the lists."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

METRICS = ("ndcg", "recall", "precision", "f1", "hit_rate", "mrr", "map")
"""Names of the first axis of `measure`, all at k.

With R relevant items in all and h of them among the first k: recall h/R, precision h/k (also for shorter
lists), f1 their harmonic mean, hit_rate whether h > 0, mrr 1/place of the first relevant one, map the mean
over the R of the precision at each relevant place (0 for those not found). ndcg has gain 1 for a relevant
item, discount log2(place + 1) and the best order of min(R, k) as its norm (Järvelin, Kekäläinen 2002).
"""


def measure(lists: np.ndarray, starts: np.ndarray, relevant: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """float64[metrics, ks, cases] of int32[cases × n] lists, best first, -1 where a list has ended.

    Case c's relevant items are `relevant[starts[c]:starts[c + 1]]`: int32, ascending, distinct, not -1. A
    case without any counts 0 throughout. Items of one list are distinct.
    """
    chosen = np.asarray(ks, np.int64)
    if len(chosen) == 0 or chosen.min() < 1:
        raise ValueError(f"cut-offs {list(ks)}: at least one is needed, and each is at least 1")
    lists = np.ascontiguousarray(lists, np.int32)
    deepest = int(chosen.max())
    discounts = 1.0 / np.log2(np.arange(deepest) + 2.0)
    ideals = np.r_[0.0, np.cumsum(discounts)]
    return _measure(lists, starts.astype(np.int64), relevant.astype(np.int32), chosen, discounts, ideals)


def measure_one(lists: np.ndarray, targets: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """`measure` with one relevant item a case: int32[cases]."""
    return measure(lists, np.arange(len(targets) + 1), targets, ks)


@njit(cache=True, nogil=True)
def _measure(
    lists: np.ndarray,
    starts: np.ndarray,
    relevant: np.ndarray,
    ks: np.ndarray,
    discounts: np.ndarray,
    ideals: np.ndarray,
) -> np.ndarray:
    cases, n = lists.shape
    out = np.zeros((7, len(ks), cases))
    for case in range(cases):
        first, last = starts[case], starts[case + 1]
        total = last - first
        if total == 0:
            continue
        for at in range(len(ks)):
            k = ks[at]
            hits, gain, precisions, reciprocal = 0, 0.0, 0.0, 0.0
            for place in range(min(k, n)):
                item = lists[case, place]
                if item < 0:
                    break
                if not _holds(relevant, first, last, item):
                    continue
                hits += 1
                gain += discounts[place]
                precisions += hits / (place + 1.0)
                if hits == 1:
                    reciprocal = 1.0 / (place + 1.0)
                if hits == total:
                    break
            recall, precision = hits / total, hits / k
            out[0, at, case] = gain / ideals[min(total, k)]
            out[1, at, case] = recall
            out[2, at, case] = precision
            if hits:
                out[3, at, case] = 2 * recall * precision / (recall + precision)
                out[4, at, case] = 1.0
            out[5, at, case] = reciprocal
            out[6, at, case] = precisions / total
    return out


@njit(inline="always")
def _holds(relevant: np.ndarray, first: int, last: int, item: int) -> bool:
    """Binary search in relevant[first:last]."""
    while first < last:
        middle = (first + last) // 2
        if relevant[middle] < item:
            first = middle + 1
        elif relevant[middle] > item:
            last = middle
        else:
            return True
    return False
