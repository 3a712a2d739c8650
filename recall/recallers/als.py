"""ALS: the person's factors are folded in from the current history, recent items with more confidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recall.foldin import FoldIn, solve
from recall.recallers.contributions import Contributions
from recall.recallers.lookups import by_item, dots
from recall.recallers.query import RowQuery, empty_scores
from recall.recallers.tuning import Tuning
from recall.topk import FactorIndex, top_k
from recall.types import DISLIKE


@dataclass(frozen=True, slots=True)
class Folded:
    """A history folded in."""

    positions: np.ndarray
    """int64[e]: the events that fold in"""
    confidence: np.ndarray
    """float32[e]: what each adds to its item's confidence"""
    system: FoldIn | None
    """None without such an event"""

    @property
    def user(self) -> np.ndarray | None:
        """float32[k]; None where nothing is known of the person."""
        return None if self.system is None or not self.system.user.any() else self.system.user


class Als:
    """Proposes only items that have factors; without a usable history it has nothing to say.

    An item's confidence is what training gives it: alpha times the sum of its events' weights, each decayed
    with the build's half-life up to the build's reference time (later events not at all), the sum capped.
    Recency then multiplies it, which training does not.
    """

    name: ClassVar[str] = "als"

    def __init__(self, arrays: Mapping[str, np.ndarray], tuning: Tuning) -> None:
        self._index = FactorIndex.of(arrays)
        self._place = arrays["place"]
        self._gram = arrays["gram"]
        self._alpha, self._reference, self._half_life, self._cap = arrays["confidence"].tolist()
        self._recency = tuning.recency

    def factors(self, items: np.ndarray) -> np.ndarray:
        """float32[len(items) × k]; zeros for an item without factors."""
        if not len(self._index.rows):
            return np.zeros((len(items), len(self._gram)), np.float32)
        place = self._place[items]
        found: np.ndarray = self._index.factors[np.maximum(place, 0)]
        if (place < 0).any():
            found[place < 0] = 0
        return found

    def user(self, query: RowQuery) -> np.ndarray | None:
        """float32[k] factors of the person; None when no event of the history has any."""
        return query.once(self, self._fold_in).user

    def _fold_in(self, query: RowQuery) -> Folded:
        place = self._place[query.items]
        positions = np.flatnonzero((query.weights > 0) & (query.polarity != DISLIKE) & (place >= 0))
        if not len(positions):
            return Folded(positions, np.zeros(0, np.float32), None)
        weights = query.weights[positions].astype(np.float64)
        if self._half_life < np.inf:
            age = np.maximum(self._reference - query.times[positions], 0)
            weights *= np.exp2(-age / self._half_life)
        places, confidence, share = by_item(place[positions], weights, self._alpha, self._cap, self._recency)
        return Folded(positions, share, solve(self._gram, self._index.factors, places, confidence))

    def scores(self, query: RowQuery, n: int) -> tuple[np.ndarray, np.ndarray]:
        user = self.user(query)
        if user is None:
            return empty_scores()
        return top_k(self._index, user, n, query.exclude, query.allowed)

    def at(self, query: RowQuery, items: np.ndarray) -> np.ndarray:
        user = self.user(query)
        if user is None:
            return np.zeros(len(items), np.float32)
        return np.asarray(dots(self._index.factors, self._place[items], user))

    def explain(self, query: RowQuery, items: np.ndarray) -> Contributions:
        """With A the fold-in system: event i with confidence c_i adds c_i · y_jᵀ A⁻¹ y_i to item j.

        Hu, Koren, Volinsky 2008, section 5. An item's part is shared by its events as their weights are.
        """
        return Contributions(events=self.shares(query, self.factors(items)))

    def shares(self, query: RowQuery, factors: np.ndarray) -> np.ndarray:
        """float32[m, h]: each event's part of what the person's factors give float32[m × k]."""
        events = np.zeros((len(factors), len(query.items)), np.float32)
        folded = query.once(self, self._fold_in)
        if folded.system is not None and len(factors):
            solved = folded.system.solve(np.asfortranarray(factors.T))
            mine = self.factors(query.items[folded.positions])
            events[:, folded.positions] = (mine @ solved).T * folded.confidence
        return events
