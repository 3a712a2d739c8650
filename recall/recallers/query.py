"""A recaller's question and answer in integer rows; these rows never leave recall."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

T = TypeVar("T")

_ROW = np.int64(0xFFFFFFFF)

ANY = -1
"""Platform row of a query that asks for no platform in particular, and of events from an unknown one."""


@dataclass(frozen=True, slots=True)
class RowQuery:
    """A history (parallel arrays, newest first, h ≥ 0 events) and what may be proposed.

    Items of the history are rows of the artefact (events of unknown items were dropped before). Every
    recaller proposes only rows that are allowed and not excluded.
    """

    items: np.ndarray
    """int32[h]"""
    weights: np.ndarray
    """float32[h]: finite, never negative; 0 for a dislike."""
    polarity: np.ndarray
    """int8[h]: recall.types.LIKE, NEUTRAL, DISLIKE"""
    times: np.ndarray
    """int64[h]: UTC seconds"""
    platforms: np.ndarray
    """int8[h]: platform rows, ANY where unknown"""
    platform: int = ANY
    """Row of the platform that asks."""
    as_of: int = 0
    """UTC seconds."""
    interest: str | tuple[float, ...] | None = None
    """What the person asks for: words, or their vector where an endpoint makes the vectors."""
    exclude: np.ndarray | None = None
    """int32, sorted, unique: rows never to be proposed (None: none)."""
    allowed: np.ndarray | None = None
    """bool[items]: rows that may be proposed (None: all)."""
    _kept: dict[int, tuple[object, object]] = field(default_factory=dict, repr=False, compare=False)

    def once(self, source: object, make: Callable[[RowQuery], T]) -> T:
        """What `make` gives for this query, made once for each source: its list, the scores of given rows and
        the explanation all rest on it."""
        found = self._kept.get(id(source))
        if found is None:  # the source is held too, lest another one get its id
            found = self._kept[id(source)] = (make(self), source)
        return found[0]  # type: ignore[return-value]

    def liked(self, last: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Positions of each item's newest like, newest first (at most `last`), and the items."""
        positions, items = self.once(_LIKED, _liked)
        return positions[:last], items[:last]

    def open_rows(self, rows: np.ndarray) -> np.ndarray:
        """bool mask over `rows`: allowed and not excluded."""
        keep = np.ones(len(rows), bool) if self.allowed is None else self.allowed[rows]
        if self.exclude is not None and len(self.exclude):
            at = np.searchsorted(self.exclude, rows)
            at[at == len(self.exclude)] = 0
            keep = keep & (self.exclude[at] != rows)
        return keep


_LIKED = object()


def _liked(query: RowQuery) -> tuple[np.ndarray, np.ndarray]:
    positions = np.flatnonzero((query.polarity > 0) & (query.weights > 0))
    items = query.items[positions]
    first = np.unique(items, return_index=True)[1]
    first.sort()
    return positions[first], items[first]


def empty_scores() -> tuple[np.ndarray, np.ndarray]:
    """The answer of a source that has nothing to say."""
    return np.empty(0, np.int32), np.empty(0, np.float32)


def best(rows: np.ndarray, scores: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The n best of parallel arrays, best first; equal scores by row, so that results are reproducible."""
    n = max(0, min(n, len(rows)))
    if n == 0:
        return empty_scores()
    # One sort of whole numbers: a score's bits in its order (IEEE 754), the row turned round below them.
    bits = np.ascontiguousarray(scores, np.float32).view(np.int32).astype(np.int64)
    bits ^= (bits >> 31) & 0x7FFFFFFF
    keys = (bits << 32) | (_ROW - rows)
    if n < len(keys):
        keys = np.partition(keys, len(keys) - n)[len(keys) - n :]
    keys = np.sort(keys)[::-1]
    bits = keys >> 32
    bits ^= (bits >> 31) & 0x7FFFFFFF
    return (_ROW - (keys & _ROW)).astype(np.int32), bits.astype(np.int32).view(np.float32)


def distinct(rows: np.ndarray) -> np.ndarray:
    """Sorted, each once: what np.unique gives, at a third of its cost for some hundreds of rows."""
    if len(rows) < 2:
        return rows
    ordered = np.sort(rows)
    keep = np.empty(len(ordered), bool)
    keep[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=keep[1:])
    return ordered[keep]
