"""ALS: the person's factors are folded in from the current history, recent items with more confidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from recall.foldin import FoldIn, solve
from recall.recallers.contributions import Contributions
from recall.recallers.query import RowQuery, empty_scores
from recall.recallers.tuning import Tuning
from recall.topk import FactorIndex, top_k
from recall.types import DISLIKE


class Als:
    """Proposes only items that have factors; without a usable history it has nothing to say."""

    name: ClassVar[str] = "als"

    def __init__(self, arrays: Mapping[str, np.ndarray], tuning: Tuning) -> None:
        self._factors = arrays["factors"]
        self._gram = arrays["gram"]
        self._alpha = float(arrays["alpha"][0])
        self._known = np.asarray(arrays["known"])
        self._index = FactorIndex.of(arrays)
        self._recency = tuning.recency

    def _confidences(self, query: RowQuery) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the events that fold in, and what each adds to its item's confidence, float32."""
        usable = (query.weights > 0) & (query.polarity != DISLIKE)
        positions = np.flatnonzero(usable & self._known[query.items])
        weights = self._alpha * query.weights[positions]
        if self._recency > 0 and len(positions):
            items = query.items[positions]
            _, first, where = np.unique(items, return_index=True, return_inverse=True)
            age = np.argsort(np.argsort(first))[where]
            weights = weights * np.exp2(-age / self._recency)
        return positions, weights.astype(np.float32)

    def _fold_in(self, query: RowQuery) -> FoldIn | None:
        positions, confidence = self._confidences(query)
        if not len(positions):
            return None
        return solve(self._gram, self._factors, query.items[positions], confidence)

    def user(self, query: RowQuery) -> np.ndarray | None:
        """float32[k] factors of the person; None when no event of the history has any."""
        folded = self._fold_in(query)
        return None if folded is None or not folded.user.any() else folded.user

    def scores(self, query: RowQuery, n: int) -> tuple[np.ndarray, np.ndarray]:
        user = self.user(query)
        if user is None:
            return empty_scores()
        return top_k(self._index, user, n, query.exclude, query.allowed)

    def at(self, query: RowQuery, items: np.ndarray) -> np.ndarray:
        user = self.user(query)
        if user is None:
            return np.zeros(len(items), np.float32)
        return np.asarray(self._factors[items] @ user, np.float32)

    def explain(self, query: RowQuery, items: np.ndarray) -> Contributions:
        """With A the fold-in system: event i with confidence c_i adds c_i · y_jᵀ A⁻¹ y_i to item j.

        Hu, Koren, Volinsky 2008, section 5. An item's part is shared by its events as their weights are.
        """
        events = np.zeros((len(items), len(query.items)), np.float32)
        positions, confidence = self._confidences(query)
        folded = self._fold_in(query)
        if folded is not None and len(items):
            solved = folded.solve(np.asfortranarray(self._factors[items].T))
            events[:, positions] = (self._factors[query.items[positions]] @ solved).T * confidence
        return Contributions(events=events)
