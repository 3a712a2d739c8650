"""The blend before the model: a weighted sum of the sources' normalised scores, by segment of the query.

A source's scores are divided by its best one in this query, so that every source runs
from 0 to 1 and one that knows nothing adds nothing. Weights: recall/weights.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recall.recallers import Recaller
from recall.recallers.query import RowQuery, best, distinct
from recall.weights import Weights

POOL = 300
"""The blend looks at least at so many of each source, so that a shorter list is the beginning of a longer."""

LEAST = 1e-4
"""Weight of a source that the file gives none: it only orders what the others leave tied."""


SCANNING = ("content", "text-factors")
"""Sources that look at every item: without weight they are left out, even where others leave a tie."""

_NOTHING = 1e-30
"""A best score below it says nothing, and float32 could not divide by it."""


class Mixture:
    """Sources in a fixed order, each with its scores; fills up from popularity."""

    def __init__(self, sources: Mapping[str, Recaller], weights: Weights) -> None:
        self.sources = sources
        self.weights = weights

    def scores(self, query: RowQuery, n: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """At most n distinct rows, best first; their blended scores; each source's own (unnormalised) scores.

        Fewer than n come only where the query allows no more.
        """
        rows, tops = self.union(query, max(n, POOL))
        own = {name: source.at(query, rows) for name, source in self.sources.items()}
        total = sum(self._weighted(query, own, tops).values(), np.zeros(len(rows), np.float32))
        chosen, score = best(rows, total, n)
        where = np.searchsorted(rows, chosen)
        return chosen, score, {name: scores[where] for name, scores in own.items()}

    def of(self, query: RowQuery, rows: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Blended scores of these rows, float32, and each source's own."""
        own = {name: source.at(query, rows) for name, source in self.sources.items()}
        total = sum(self._weighted(query, own, self._tops(query)).values(), np.zeros(len(rows), np.float32))
        return total, own

    def parts(self, query: RowQuery, items: np.ndarray) -> dict[str, np.ndarray]:
        """Each source's part of the blended score of these rows, float32; together they are the score."""
        own = {name: source.at(query, items) for name, source in self.sources.items()}
        return self._weighted(query, own, self._tops(query))

    def _weighted(
        self, query: RowQuery, own: Mapping[str, np.ndarray], tops: Mapping[str, float]
    ) -> dict[str, np.ndarray]:
        weights = self.weights.of(query)
        return {
            name: _parts(scores, tops[name]) * np.float32(max(weights.get(name, 0.0), LEAST))
            for name, scores in own.items()
        }

    def _tops(self, query: RowQuery) -> dict[str, float]:
        weights = self.weights.of(query)
        return {
            name: _top(source.scores(query, 1)[1]) if _asked(name, weights) else 0.0
            for name, source in self.sources.items()
        }

    def union(self, query: RowQuery, n: int) -> tuple[np.ndarray, dict[str, float]]:
        """Sorted distinct rows of each source's n best, and each source's best score (0: none).

        A source without weight is not asked for rows, save popularity, which fills up.
        """
        found, tops = [np.empty(0, np.int32)], {}
        weights = self.weights.of(query)
        for name, source in self.sources.items():
            if not _asked(name, weights):
                tops[name] = 0.0
                continue
            wanted = name == "popular" or weights.get(name, 0.0) > 0
            rows, scores = source.scores(query, n if wanted else 1)
            found.append(rows)
            tops[name] = _top(scores)
        return distinct(np.concatenate(found)), tops


def _asked(name: str, weights: Mapping[str, float]) -> bool:
    return name not in SCANNING or weights.get(name, 0.0) > 0


def _parts(scores: np.ndarray, top: float) -> np.ndarray:
    """Scores as parts of the best one, float32, none below 0; zeros where the best is next to nothing."""
    if top < _NOTHING:
        return np.zeros(len(scores), np.float32)
    return np.asarray(np.maximum(scores, 0) / np.float32(top), np.float32)


def _top(scores: np.ndarray) -> float:
    return float(scores[0]) if len(scores) and np.isfinite(scores[0]) else 0.0
