"""A quick check of a build: plain ALS, popularity and the blend on each person's last liked item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evals.intervals import Interval, bootstrap
from evals.metrics import hit_rate, ndcg, places
from evals.splits import Split, last_liked
from recall.dataset import Dataset
from recall.errors import DataError
from recall.factorize import fit_als
from recall.mixture import Mixture
from recall.recallers import Recaller, fit_recallers, open_recaller, open_recallers
from recall.recallers.query import RowQuery
from recall.recallers.tuning import Tuning
from recall.train_config import TrainConfig
from recall.weights import Weights


@dataclass(frozen=True, slots=True)
class Row:
    """One method: means over the people, with 95 % intervals."""

    method: str
    ndcg: Interval
    hit_rate: Interval


@dataclass(frozen=True, slots=True)
class Check:
    people: int
    k: int
    rows: tuple[Row, ...]

    def of(self, method: str) -> Row:
        """The row of 'als' (no recency), 'popular' or 'blend'."""
        return next(row for row in self.rows if row.method == method)


def check(build: Path, config: TrainConfig, *, k: int = 10, seed: int = 0) -> Check:
    """Train without each person's last liked item and look for it among the first k of the catalogue.

    Everyone with a like before it counts; ties in time break by a seeded draw. 'als' folds in without
    recency. DataError when nobody has two liked items.
    """
    split = last_liked(Dataset.load(build), seed=seed)
    if not len(split.persons):
        raise DataError(f"{build}: nobody has two liked items, so nothing can be held out and looked for")
    arrays = fit(split.train, config)
    plain = open_recaller("als", arrays, Tuning(recency=0))
    weights = Weights()
    sources = open_recallers(arrays, weights.tuning)
    found = {
        "popular": rank(split, sources["popular"], k),
        "als": rank(split, plain, k),
        "blend": rank(split, Mixture(sources, weights), k),
    }
    rows = []
    for method, lists in found.items():
        place = places(lists, split.targets)
        rows.append(
            Row(method, bootstrap(ndcg(place, k), seed=seed), bootstrap(hit_rate(place, k), seed=seed))
        )
    return Check(len(split.persons), k, tuple(rows))


def fit(train: Dataset, config: TrainConfig) -> dict[str, Mapping[str, np.ndarray]]:
    """Every recaller's arrays, in this process."""
    return fit_recallers(train, fit_als(train, config), seed=config.seed)


def rank(split: Split, source: Recaller | Mixture, n: int) -> np.ndarray:
    """int32[people × n] item rows as the source orders them for each person's history; -1 where it ends."""
    lists = np.full((len(split.persons), n), -1, np.int32)
    for case, person in enumerate(split.persons):
        rows = source.scores(history(split.train, int(person)), n)[0]
        lists[case, : len(rows)] = rows
    return lists


def history(train: Dataset, person: int) -> RowQuery:
    """The person's training events as a query to any platform; items in it are not proposed again."""
    span = slice(int(train.event_row[person]), int(train.event_row[person + 1]))
    items = train.event_item[span][::-1]
    return RowQuery(
        items=items,
        weights=train.event_weight[span][::-1],
        polarity=train.event_polarity[span][::-1],
        times=train.event_time[span][::-1],
        platforms=train.event_platform[span][::-1],
        as_of=train.reference_time,
        exclude=np.unique(items),
    )
