"""The blend before the model: a weighted sum of the sources' normalised scores, by segment of the query.

A source's scores are divided by its best one in this query, so that every source runs
from 0 to 1 and one that knows nothing adds nothing. Weights: recall/weights.py. Where trees earned a share
(recall/trees.py) they put the first of the sum in order.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recall.recallers import Recaller
from recall.recallers.content import Content
from recall.recallers.query import RowQuery, best, distinct
from recall.trees import COMMON, TOP, Forest, mixed, table
from recall.weights import Weights, is_new

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
        self._forest = Forest.of(weights.trees) if weights.trees is not None else None

    def scores(self, query: RowQuery, n: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """At most n distinct rows, best first; their blended scores; each source's own (unnormalised) scores.

        Fewer than n come only where the query allows no more.
        """
        rows, tops = self.union(query, max(n, POOL))
        own = {name: source.at(query, rows) for name, source in self.sources.items()}
        total = sum(self._weighted(query, own, tops).values(), np.zeros(len(rows), np.float32))
        if self._forest is None:
            chosen, score = best(rows, total, n)
        else:
            chosen, score = self._ordered(query, rows, own, tops, *best(rows, total, max(n, TOP)))
            chosen, score = chosen[:n], score[:n]
        where = np.searchsorted(rows, chosen)
        return chosen, score, {name: scores[where] for name, scores in own.items()}

    def _ordered(
        self,
        query: RowQuery,
        rows: np.ndarray,
        own: Mapping[str, np.ndarray],
        tops: Mapping[str, float],
        chosen: np.ndarray,
        score: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The first TOP of the sum's order with the trees' say in it."""
        forest, first = self._forest, chosen[:TOP]
        assert forest is not None
        where = np.searchsorted(rows, first)
        parts = {name: _parts(own[name][where], tops[name]) for name in own if forest.uses(name)}
        common = np.zeros(len(first), np.float32)
        content = self.sources.get(Content.name)
        if forest.uses(COMMON) and isinstance(content, Content):
            common = content.facts_in_common(query, first)
        told = table(
            forest.trees.features,
            parts,
            score[:TOP],
            common,
            liked=len(query.liked()[1]),
            new=is_new(query),
        )
        first, ordered = best(first, mixed(score[:TOP], forest.margins(told), forest.trees.share), TOP)
        return np.concatenate([first, chosen[TOP:]]), np.concatenate([ordered, score[TOP:]])

    def of(self, query: RowQuery, rows: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Blended scores of these rows, float32, and each source's own."""
        own = {name: source.at(query, rows) for name, source in self.sources.items()}
        total = sum(self._weighted(query, own, self._tops(query)).values(), np.zeros(len(rows), np.float32))
        if self._forest is not None:
            first, score, _ = self.scores(query, TOP)
            known = dict(zip(first.tolist(), score.tolist(), strict=True))
            pairs = zip(rows.tolist(), total.tolist(), strict=True)
            total = np.array([known.get(row, mine) for row, mine in pairs], np.float32)
        return total, own

    def parts(self, query: RowQuery, items: np.ndarray) -> dict[str, np.ndarray]:
        """Each source's part of the weighted sum of these rows, float32."""
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
            name: _top(source.scores(query, 1)[1]) if self._asked(name, weights) else 0.0
            for name, source in self.sources.items()
        }

    def union(self, query: RowQuery, n: int) -> tuple[np.ndarray, dict[str, float]]:
        """Sorted distinct rows of each source's n best, and each source's best score (0: none).

        A source without weight is not asked for rows, save popularity, which fills up.
        """
        found, tops = [np.empty(0, np.int32)], {}
        weights = self.weights.of(query)
        for name, source in self.sources.items():
            if not self._asked(name, weights):
                tops[name] = 0.0
                continue
            wanted = name == "popular" or weights.get(name, 0.0) > 0
            rows, scores = source.scores(query, n if wanted else 1)
            found.append(rows)
            tops[name] = _top(scores)
        return distinct(np.concatenate(found)), tops

    def _asked(self, name: str, weights: Mapping[str, float]) -> bool:
        used = self._forest is not None and self._forest.uses(name)
        return name not in SCANNING or weights.get(name, 0.0) > 0 or used


def _parts(scores: np.ndarray, top: float) -> np.ndarray:
    """Scores as parts of the best one, float32, none below 0; zeros where the best is next to nothing."""
    if top < _NOTHING:
        return np.zeros(len(scores), np.float32)
    return np.asarray(np.maximum(scores, 0) / np.float32(top), np.float32)


def _top(scores: np.ndarray) -> float:
    return float(scores[0]) if len(scores) and np.isfinite(scores[0]) else 0.0
