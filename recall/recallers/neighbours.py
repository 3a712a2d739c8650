"""Sparse item → item scores, top-N per item, as CSR arrays; the lookups that follow a few history items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recall.recallers.lookups import add_up, zeros_of_thread
from recall.recallers.query import RowQuery, best


@dataclass(frozen=True)
class Neighbours:
    """`starts` int64[items + 1], `items` int32 and `scores` float32; each item's neighbours sorted by row."""

    starts: np.ndarray
    items: np.ndarray
    scores: np.ndarray

    @classmethod
    def open(cls, arrays: Mapping[str, np.ndarray]) -> Neighbours:
        return cls(arrays["starts"], arrays["items"], arrays["scores"])

    def gather(self, sources: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All neighbours of `sources` with their weighted sums: rows sorted and unique, float32 scores."""
        sums = zeros_of_thread(len(self.starts) - 1)
        touched = add_up(self.starts, self.items, self.scores, sources, weights.astype(np.float32), sums)
        rows = np.sort(touched)
        found = sums[rows]
        sums[rows] = 0
        return rows, found

    def parts(self, sources: np.ndarray, weights: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """float32[len(wanted), len(sources)]: each source's weighted score of each wanted row."""
        out = np.zeros((len(wanted), len(sources)), np.float32)
        if not len(wanted):
            return out
        order = np.argsort(wanted, kind="stable")
        ordered = wanted[order]
        where, weight = self._slices(sources, weights)
        column = np.repeat(np.arange(len(sources)), self.starts[sources + 1] - self.starts[sources])
        rows = self.items[where]
        at = np.searchsorted(ordered, rows)
        at[at == len(ordered)] = 0
        hit = np.flatnonzero(ordered[at] == rows)
        out[order[at[hit]], column[hit]] = self.scores[where[hit]] * weight[hit]
        return out

    def _slices(self, sources: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        starts = self.starts[sources]
        lengths = self.starts[sources + 1] - starts
        ends = np.cumsum(lengths)
        where = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)
        return where, np.repeat(weights.astype(np.float32), lengths)


def top(rows: np.ndarray, scores: np.ndarray, query: RowQuery, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The n best of gathered rows that the query allows."""
    keep = query.open_rows(rows)
    return best(rows[keep], scores[keep], n)


def look_up(rows: np.ndarray, scores: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """float32: the gathered score of each wanted row, 0 where it was not gathered."""
    if not len(rows):
        return np.zeros(len(wanted), np.float32)
    at = np.minimum(np.searchsorted(rows, wanted), len(rows) - 1)
    return np.where(rows[at] == wanted, scores[at], np.float32(0))
