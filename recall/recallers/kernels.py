"""Compiled loops of the sparse recallers' fit: an item × item matrix row by row, only the best kept."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def cooccurrence(
    row_starts: np.ndarray,
    row_items: np.ndarray,
    row_weights: np.ndarray,
    item_starts: np.ndarray,
    item_rows: np.ndarray,
    norms: np.ndarray,
    shrink: float,
    keep: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cosine of items by the rows that hold both, a row counting `row_weights`; the best `keep` per item.

    Σ_rows weight / (norm_i · norm_j + shrink); an item is not its own neighbour. Neighbours come sorted by
    item. Cost: the sum over rows of length², so cut long rows before.
    """
    items = len(item_starts) - 1
    starts = np.zeros(items + 1, np.int64)
    out_items = np.empty(items * keep, np.int32)
    out_scores = np.empty(items * keep, np.float32)
    sums = np.zeros(items, np.float64)
    touched = np.empty(items, np.int32)
    for item in range(items):
        count = 0
        for at in range(item_starts[item], item_starts[item + 1]):
            row = item_rows[at]
            weight = row_weights[row]
            for place in range(row_starts[row], row_starts[row + 1]):
                other = row_items[place]
                if other == item:
                    continue
                if sums[other] == 0.0:
                    touched[count] = other
                    count += 1
                sums[other] += weight
        scores = np.empty(count, np.float32)
        for place in range(count):
            other = touched[place]
            scores[place] = sums[other] / (norms[item] * norms[other] + shrink)
            sums[other] = 0.0
        starts[item + 1] = _keep_best(touched[:count], scores, keep, starts[item], out_items, out_scores)
    end = starts[items]
    return starts, out_items[:end].copy(), out_scores[:end].copy()


@njit(cache=True, nogil=True)
def prune(
    starts: np.ndarray, items: np.ndarray, scores: np.ndarray, keep: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best `keep` of each row of CSR arrays, sorted by item."""
    rows = len(starts) - 1
    new_starts = np.zeros(rows + 1, np.int64)
    out_items = np.empty(min(len(items), rows * keep), np.int32)
    out_scores = np.empty(len(out_items), np.float32)
    for row in range(rows):
        span = slice(starts[row], starts[row + 1])
        new_starts[row + 1] = _keep_best(
            items[span], scores[span], keep, new_starts[row], out_items, out_scores
        )
    end = new_starts[rows]
    return new_starts, out_items[:end].copy(), out_scores[:end].copy()


@njit(cache=True, nogil=True)
def _keep_best(
    items: np.ndarray, scores: np.ndarray, keep: int, at: int, out_items: np.ndarray, out_scores: np.ndarray
) -> int:
    """Write the best `keep` at `at`, sorted by item; the new end. Ties at the cut: smaller items stay."""
    order = np.argsort(items)
    items, scores = items[order], scores[order]
    if len(items) > keep:
        best = np.sort(np.argsort(-scores, kind="mergesort")[:keep])
        items, scores = items[best], scores[best]
    out_items[at : at + len(items)] = items
    out_scores[at : at + len(items)] = scores
    return at + len(items)
