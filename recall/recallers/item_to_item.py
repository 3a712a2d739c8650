"""Item-to-item: the cosine of what goes with each of the last few liked items, the newest counting most.

Cosine of co-occurrence as in Sarwar et al., "Item-based collaborative filtering" (WWW 2001), with people of
long histories damped (inverse user frequency, Breese et al. 1998) and a shrink term against chance pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from recall.recallers.contributions import Contributions
from recall.recallers.kernels import cooccurrence
from recall.recallers.neighbours import Neighbours, look_up, top
from recall.recallers.query import RowQuery
from recall.recallers.sequences import consented
from recall.recallers.tuning import Tuning

if TYPE_CHECKING:
    from recall.dataset import Dataset

KEEP = 200
"""Neighbours held per item."""
LONGEST = 500
"""Newest likes of a person that count when fitting; more cost their square and say little."""
SHRINK = 5.0


class ItemToItem:
    name: ClassVar[str] = "item-to-item"

    def __init__(self, arrays: Mapping[str, np.ndarray], tuning: Tuning) -> None:
        self._neighbours = Neighbours.open(arrays)
        self._last, self._decay = tuning.last_items, tuning.item_decay

    @classmethod
    def fit(cls, dataset: Dataset, *, seed: int = 0) -> dict[str, np.ndarray]:
        """CSR arrays of recall/recallers/neighbours.py."""
        liked = consented(dataset, likes_only=True).latest_per_item().newest(LONGEST)
        starts = liked.starts()
        lengths = np.diff(starts)
        weights = (1.0 / np.log2(2.0 + lengths)).astype(np.float64)
        by_item = np.argsort(liked.items, kind="stable")
        item_starts = np.searchsorted(liked.items[by_item], np.arange(len(dataset.items) + 1))
        rows = liked.numbered_rows()
        norms = np.sqrt(np.bincount(liked.items, weights[rows], minlength=len(dataset.items)))
        found = cooccurrence(starts, liked.items, weights, item_starts, rows[by_item], norms, SHRINK, KEEP)
        return dict(zip(("starts", "items", "scores"), found, strict=True))

    def _sources(self, query: RowQuery) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        positions, items = query.liked(self._last)
        weights = query.weights[positions] * np.float32(self._decay) ** np.arange(
            len(items), dtype=np.float32
        )
        return positions, items, weights

    def _gathered(self, query: RowQuery) -> tuple[np.ndarray, np.ndarray]:
        _, items, weights = self._sources(query)
        return self._neighbours.gather(items, weights)

    def scores(self, query: RowQuery, n: int) -> tuple[np.ndarray, np.ndarray]:
        return top(*query.once(self, self._gathered), query, n)

    def at(self, query: RowQuery, items: np.ndarray) -> np.ndarray:
        return look_up(*query.once(self, self._gathered), items)

    def explain(self, query: RowQuery, items: np.ndarray) -> Contributions:
        positions, sources, weights = self._sources(query)
        events = np.zeros((len(items), len(query.items)), np.float32)
        events[:, positions] = self._neighbours.parts(sources, weights, items)
        return Contributions(events=events)
