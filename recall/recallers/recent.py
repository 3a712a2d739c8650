"""Recent on platform: what came to the platform last, whatever anybody thinks of it yet.

A listing came when its source says that it became available, else with its first event; without either it is
not new. Age is taken at the build's reference time, since later listings are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from recall.recallers.contributions import Contributions
from recall.recallers.query import RowQuery, empty_scores
from recall.recallers.tuning import Tuning

if TYPE_CHECKING:
    from recall.dataset import Dataset

HALVINGS = 5
"""A listing is new for so many half-lives."""


class Recent:
    name: ClassVar[str] = "recent-on-platform"

    def __init__(self, arrays: Mapping[str, np.ndarray], tuning: Tuning) -> None:
        self._shares: list[np.ndarray] = []
        self._order: list[np.ndarray] = []
        for age in arrays["age"]:
            share = np.exp2(-age / (tuning.new_days * 86_400.0))
            share[~(share >= 0.5**HALVINGS)] = 0
            self._shares.append(share.astype(np.float32))
            fresh = np.flatnonzero(share > 0)
            self._order.append(fresh[np.argsort(-share[fresh], kind="stable")].astype(np.int32))
        self._people = arrays["people"]

    @classmethod
    def fit(cls, dataset: Dataset, *, seed: int = 0) -> dict[str, np.ndarray]:
        """Layers as those of `popular`: one per platform, the last for the first time on any of them.

        `age` float64[platforms + 1, items]: seconds at the reference time, inf where not new or not listed or
        not there yet; `people` int32 of the same shape, who had it.
        """
        shape = (len(dataset.platforms), len(dataset.items))
        since = dataset.listed_from.copy()
        np.minimum.at(since, (dataset.event_platform, dataset.event_item), dataset.event_time)
        since[~dataset.listed] = np.iinfo(np.int64).max
        since = np.concatenate([since, since.min(axis=0, initial=np.iinfo(np.int64).max)[None]])
        known = since < np.iinfo(np.int64).max
        age = np.where(known, dataset.reference_time - np.where(known, since, 0), -1).astype(np.float64)
        age[age < 0] = np.inf
        people = np.zeros((shape[0] + 1, shape[1]), np.int32)
        person = dataset.event_person
        for layer in range(len(people)):
            mine = slice(None) if layer == shape[0] else dataset.event_platform == layer
            pairs = person[mine].astype(np.int64) * max(shape[1], 1) + dataset.event_item[mine]
            people[layer] = np.bincount(np.unique(pairs) % max(shape[1], 1), minlength=shape[1])
        return {"age": age, "people": people}

    def scores(self, query: RowQuery, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Newest first; those of one moment by row."""
        order = self._order[query.platform]
        if n <= 0 or not len(order):
            return empty_scores()
        rows = order[query.open_rows(order)][:n]
        return rows, self._shares[query.platform][rows]

    def at(self, query: RowQuery, items: np.ndarray) -> np.ndarray:
        return self._shares[query.platform][items]

    def explain(self, query: RowQuery, items: np.ndarray) -> Contributions:
        """No event carries newness; `people` who had the item on the platform (any: on all of them)."""
        return Contributions(people=self._people[query.platform][items])
