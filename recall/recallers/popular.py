"""Popularity by platform, decayed with time, with a prior from all platforms where one has few events.

Each person counts once per item and platform, at the latest like. Decay is exponential, so the order at the
last event is also the order at any later moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from recall.recallers.contributions import Contributions
from recall.recallers.query import RowQuery
from recall.recallers.sequences import likes
from recall.recallers.tuning import Tuning

if TYPE_CHECKING:
    from recall.dataset import Dataset

HALF_LIVES = (0.0, 0.4, 0.2, 0.1, 0.05, 0.02, 0.01)
"""Shares of the data's time span that an artefact holds popularity for; 0 is no decay."""


class Popular:
    """Scores are probabilities: an item's share of the platform's decayed likes, prior included."""

    name: ClassVar[str] = "popular"
    half_lives: ClassVar[tuple[float, ...]] = HALF_LIVES

    def __init__(self, arrays: Mapping[str, np.ndarray], tuning: Tuning) -> None:
        nearest = int(np.abs(arrays["half_lives"] - tuning.half_life).argmin())
        self._popularity = arrays["popularity"][nearest]
        self._people = arrays["people"]
        self._prior = tuning.prior
        self._known: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    @classmethod
    def fit(cls, dataset: Dataset, *, seed: int = 0) -> dict[str, np.ndarray]:
        """Arrays with one layer per platform and a last one for all of them together:

        `popularity` float32[half-lives, platforms + 1, items], `half_lives` float32[half-lives],
        `people` int32[platforms + 1, items] (distinct people who liked it).
        """
        liked = likes(dataset)
        layers, items = len(dataset.platforms) + 1, len(dataset.items)
        popularity = np.zeros((len(cls.half_lives), layers, items), np.float32)
        people = np.zeros((layers, items), np.int32)
        span = float(np.ptp(liked.times)) if len(liked.times) else 0.0
        for layer in range(layers):
            chosen = liked if layer == layers - 1 else liked.only(liked.platforms == layer)
            latest = chosen.latest_per_item()
            people[layer] = np.bincount(latest.items, minlength=items)
            age = (liked.times.max() - latest.times).astype(np.float64) if len(latest.times) else latest.times
            for number, half_life in enumerate(cls.half_lives):
                weight = np.exp2(-age / (half_life * span)) if half_life * span > 0 else np.ones(len(age))
                popularity[number, layer] = np.bincount(latest.items, weight, minlength=items)
        return {
            "popularity": popularity,
            "half_lives": np.asarray(cls.half_lives, np.float32),
            "people": people,
        }

    def _ranked(self, platform: int) -> tuple[np.ndarray, np.ndarray]:
        """Shares float32[items] that sum to 1 (zeros without any like) and all rows by share, best first."""
        if platform not in self._known:
            every = self._popularity[-1].astype(np.float64)
            every /= max(every.sum(), 1e-12)
            own = self._popularity[platform].astype(np.float64)
            share = (own + self._prior * every) / max(own.sum() + self._prior, 1e-12)
            order = np.argsort(-share, kind="stable").astype(np.int32)
            self._known[platform] = share.astype(np.float32), order
        return self._known[platform]

    def scores(self, query: RowQuery, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Any allowed row may come, items without a like last: this is the list that fills up others."""
        shares, order = self._ranked(query.platform)
        n, at, found, block = max(0, n), 0, [np.empty(0, np.int32)], 2 * max(n, 64)
        while at < len(order) and sum(map(len, found)) < n:
            rows = order[at : at + block]
            found.append(rows[query.open_rows(rows)])
            at, block = at + block, 2 * block
        rows = np.concatenate(found)[:n]
        return rows, shares[rows]

    def at(self, query: RowQuery, items: np.ndarray) -> np.ndarray:
        return self._ranked(query.platform)[0][items]

    def explain(self, query: RowQuery, items: np.ndarray) -> Contributions:
        """No event carries popularity; `people` who liked the item on the platform (any: on all of them)."""
        return Contributions(people=self._people[query.platform][items])


class Evergreen(Popular):
    """The same without decay: what most people ever liked, which suits newcomers more than news does."""

    name: ClassVar[str] = "evergreen"
    half_lives: ClassVar[tuple[float, ...]] = (0.0,)
