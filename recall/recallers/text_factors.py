"""Text factors: ALS's taste carried over to items that nobody had, through what their text says.

A ridge regression maps an item's text vector to its ALS factors, learnt on the items that people had; so
every item with text gets factors, which the person's fold-in scores (cf. Gantner et al., "Learning
attribute-to-feature mappings for cold-start recommendations", ICDM 2010).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from recall.recallers.als import Als
from recall.recallers.content import Content
from recall.recallers.contributions import Contributions
from recall.recallers.lookups import dots
from recall.recallers.query import RowQuery, empty_scores
from recall.topk import FactorIndex, top_k

RIDGE = 0.5
"""λ as a share of the mean squared length along one dimension of the text vectors that are learnt from."""
TRUST = 1.0
"""An item that n people had counts n / (n + TRUST)."""


class TextFactors:
    """Proposes only items with text; without a history that folds in it has nothing to say."""

    name: ClassVar[str] = "text-factors"

    def __init__(self, arrays: Mapping[str, np.ndarray], als: Als) -> None:
        self._index = FactorIndex.of(arrays)
        self._place = arrays["place"]
        self._als = als

    @classmethod
    def fit(
        cls, content: Mapping[str, np.ndarray], als: Mapping[str, np.ndarray], people: np.ndarray
    ) -> dict[str, np.ndarray]:
        """From the arrays of both, and int[items]: how many people had each."""
        items, factors = len(content["place"]), als["sorted"]
        texts = FactorIndex.of(content)
        found = np.zeros((items, factors.shape[1]), np.float32)
        learnt = np.flatnonzero((content["place"] >= 0) & (als["place"] >= 0))
        if len(learnt) > 1:
            weights = people[learnt] / (people[learnt] + TRUST)
            x = texts.factors[content["place"][learnt]].astype(np.float64)
            y = factors[als["place"][learnt]].astype(np.float64)
            whole = max(float(weights.sum()), 1e-12)
            x_mean, y_mean = weights @ x / whole, weights @ y / whole
            x, y = x - x_mean, y - y_mean
            system = (x * weights[:, None]).T @ x
            system += RIDGE * max(float(np.trace(system)), 1e-12) / max(len(system), 1) * np.eye(len(system))
            solved = np.linalg.solve(system, (x * weights[:, None]).T @ y)
            offset = y_mean - x_mean @ solved
            found[texts.rows] = texts.factors @ solved.astype(np.float32) + offset.astype(np.float32)
        return Content.packed(found)

    def factors(self, items: np.ndarray) -> np.ndarray:
        """float32[len(items) × k]; zeros for an item without text."""
        if not len(self._index.rows):
            return np.zeros((len(items), self._index.factors.shape[1]), np.float32)
        place = self._place[items]
        found: np.ndarray = self._index.factors[np.maximum(place, 0)]
        found[place < 0] = 0
        return found

    def scores(self, query: RowQuery, n: int) -> tuple[np.ndarray, np.ndarray]:
        user = self._als.user(query)
        if user is None:
            return empty_scores()
        return top_k(self._index, user, n, query.exclude, query.allowed)

    def at(self, query: RowQuery, items: np.ndarray) -> np.ndarray:
        user = self._als.user(query)
        if user is None:
            return np.zeros(len(items), np.float32)
        return np.asarray(dots(self._index.factors, self._place[items], user))

    def explain(self, query: RowQuery, items: np.ndarray) -> Contributions:
        """As ALS explains, with the factors that the text gives."""
        return Contributions(events=self._als.shares(query, self.factors(items)))
