"""Transitions: what follows what within a few steps, across platforms, normalised by how often both occur."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.sparse import csr_matrix

from recall.recallers.contributions import Contributions
from recall.recallers.kernels import prune
from recall.recallers.neighbours import Neighbours, look_up, top
from recall.recallers.query import RowQuery
from recall.recallers.sequences import Sequences, consented
from recall.recallers.tuning import Tuning

if TYPE_CHECKING:
    from recall.dataset import Dataset

KEEP = 200
"""Followers held per item."""
STEPS = 5
"""Distance up to which an item counts as following another; at distance d it counts 1 / d."""
SHRINK = 3.0
DAMPING = 0.3
"""Power of the follower's own count that divides its score: 0 prefers what is popular, 1 what is rare."""


class Transitions:
    name: ClassVar[str] = "transitions"

    def __init__(self, arrays: Mapping[str, np.ndarray], tuning: Tuning) -> None:
        self._followers = Neighbours.open(arrays)
        self._last, self._decay = tuning.last_steps, tuning.step_decay

    @classmethod
    def fit(cls, dataset: Dataset, *, seed: int = 0) -> dict[str, np.ndarray]:
        """CSR arrays (neighbours.py): score(i → j) = pairs / (out_i + shrink) / in_j^damping."""
        counts = pairs(consented(dataset, likes_only=False), len(dataset.items))
        out = np.asarray(counts.sum(axis=1)).ravel()
        followed = np.asarray(counts.sum(axis=0)).ravel()
        row = np.repeat(np.arange(len(out)), np.diff(counts.indptr))
        scores = counts.data / (out[row] + SHRINK) / np.maximum(followed[counts.indices], 1.0) ** DAMPING
        starts = counts.indptr.astype(np.int64)
        found = prune(starts, counts.indices.astype(np.int32), scores.astype(np.float32), KEEP)
        return dict(zip(("starts", "items", "scores"), found, strict=True))

    def _sources(self, query: RowQuery) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        positions, items = query.liked(self._last)
        return positions, items, np.float32(self._decay) ** np.arange(len(items), dtype=np.float32)

    def _gathered(self, query: RowQuery) -> tuple[np.ndarray, np.ndarray]:
        _, items, weights = self._sources(query)
        return self._followers.gather(items, weights)

    def scores(self, query: RowQuery, n: int) -> tuple[np.ndarray, np.ndarray]:
        return top(*query.once(self, self._gathered), query, n)

    def at(self, query: RowQuery, items: np.ndarray) -> np.ndarray:
        return look_up(*query.once(self, self._gathered), items)

    def explain(self, query: RowQuery, items: np.ndarray) -> Contributions:
        positions, sources, weights = self._sources(query)
        events = np.zeros((len(items), len(query.items)), np.float32)
        events[:, positions] = self._followers.parts(sources, weights, items)
        return Contributions(events=events)


def pairs(sequences: Sequences, items: int, steps: int = STEPS) -> csr_matrix:
    """float64 items × items: how often the column followed the row within `steps`, weighted 1 / distance."""
    total = csr_matrix((items, items), dtype=np.float64)
    for distance in range(1, steps + 1):
        same = sequences.rows[distance:] == sequences.rows[:-distance]
        before, after = sequences.items[:-distance][same], sequences.items[distance:][same]
        differ = before != after
        weight = np.full(int(differ.sum()), 1.0 / distance)
        total = total + csr_matrix((weight, (before[differ], after[differ])), shape=(items, items))
    total.sort_indices()
    return total
