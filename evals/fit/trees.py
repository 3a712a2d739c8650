"""Trees over the recallers' scores (LambdaMART by LightGBM), and whether they earn a share of the order.

They are grown on the first TOP of each question's weighted sum, which is what they put in order when
answering. A source can only speak for an item, never against it (monotone constraints): with some hundreds of
people that keeps what they learn close to the sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evals.fit.scored import Scored
from evals.intervals import bootstrap
from recall.trees import COMMON, LIKED, NEW, TOP, TOTAL, Forest, Trees, grown, mixed, table

SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
"""That are tried."""
ROUNDS, LEAVES, LEAF_ROWS, RATE = 80, 8, 60, 0.06
"""Trees, leaves of each, rows that a leaf needs, and the learning rate; set by hand."""
FEWEST = 100
"""Questions whose target stands among the first TOP below which none are grown."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The first TOP of each question by its weighted sum: what trees see."""

    rows: np.ndarray
    """int64: positions in the pools, best first in each question"""
    starts: np.ndarray
    """int64[cases + 1] offsets into `rows`"""
    table: np.ndarray
    """float32[rows × features]"""
    features: tuple[str, ...]


def pool_of(scored: Scored, cases: np.ndarray, totals: np.ndarray, columns: Mapping[str, int]) -> Pool:
    """`totals` float32[p] are the sum's scores; `columns` the column of each source."""
    found, counts = [], []
    for case in cases.tolist():
        low, high = scored.starts[case], scored.starts[case + 1]
        order = np.argsort(-totals[low:high], kind="stable")[:TOP]
        found.append(low + order)
        counts.append(len(order))
    rows = np.concatenate(found) if found else np.zeros(0, np.int64)
    case = np.repeat(cases, counts)
    parts = {name: scored.scores[column][rows] for name, column in columns.items()}
    features = (*columns, TOTAL, COMMON, LIKED, NEW)
    told = table(
        features,
        parts,
        totals[rows],
        scored.common[rows],
        liked=scored.liked[case],
        new=np.char.endswith(scored.segments[case], " new"),
    )
    return Pool(rows, np.r_[0, np.cumsum(counts)].astype(np.int64), told, features)


def grow(scored: Scored, cases: np.ndarray, pool: Pool, *, seed: int) -> Trees | None:
    """Trees with share 1; None where too few questions have a target that a source brought into the pool."""
    import lightgbm

    wanted = np.zeros(scored.scores.shape[1], np.int8)
    wanted[scored.targets[scored.reached]] = 1
    label = wanted[pool.rows]
    heads = pool.starts[:-1]
    useful = np.add.reduceat(label, heads) > 0 if len(heads) else np.zeros(0, bool)
    if useful.sum() < FEWEST:
        return None
    counts = np.diff(pool.starts)
    keep = np.repeat(useful, counts)
    apart = {LIKED, NEW}
    parameters: dict[str, Any] = {
        "objective": "lambdarank",
        "num_leaves": LEAVES,
        "min_data_in_leaf": LEAF_ROWS,
        "learning_rate": RATE,
        "lambdarank_truncation_level": 20,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "monotone_constraints": [0 if name in apart else 1 for name in pool.features],
        "seed": seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(pool.table[keep], label[keep], group=counts[useful])
    booster = lightgbm.train(parameters, data, ROUNDS)
    trees = grown(booster.dump_model(), pool.features, 1.0)
    return trees if trees.feature else None


def reordered(totals: np.ndarray, pool: Pool, margins: np.ndarray, share: float) -> np.ndarray:
    """float32[p]: the sum's scores with the trees' say in each question's first TOP."""
    found = totals.copy()
    for low, high in zip(pool.starts[:-1].tolist(), pool.starts[1:].tolist(), strict=True):
        rows = pool.rows[low:high]
        found[rows] = mixed(totals[rows], margins[low:high], share)
    return found


def judged(
    scored: Scored,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    sums: Sequence[tuple[np.ndarray, Mapping[str, int]]],
    *,
    seed: int,
) -> tuple[np.ndarray, np.ndarray] | None:
    """(NDCG@10 of the sum, and of each share), float64[cases] and float64[shares × cases], each question by
    weights and trees that were made of other people.

    `folds` are (cases to learn from, cases to judge); `sums` the scores float32[p] by each fold's weights and
    the sources' columns in them. None where too few people are there.
    """
    plain = np.zeros(len(scored))
    shares = np.zeros((len(SHARES), len(scored)))
    for (learnt, rest), (totals, columns) in zip(folds, sums, strict=True):
        trees = grow(scored, learnt, pool_of(scored, learnt, totals, columns), seed=seed)
        if trees is None:
            return None
        plain[rest] = scored.ndcg_of(totals, rest)
        pool = pool_of(scored, rest, totals, columns)
        margins = Forest.of(trees).margins(_of(pool, trees.features))
        for at, share in enumerate(SHARES):
            shares[at, rest] = scored.ndcg_of(reordered(totals, pool, margins, share), rest)
    return plain, shares


def earned(
    sums: np.ndarray,
    shares: np.ndarray,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    groups: Sequence[np.ndarray],
    *,
    seed: int,
) -> tuple[float, np.ndarray]:
    """The share that is best (0: the gain is in doubt in all or in one of the `groups` of cases), and
    float64[cases]: what trees reach on each question with the share that is best on the others."""
    ours = np.zeros(len(sums))
    for learnt, rest in folds:
        best = int(shares[:, learnt].mean(axis=1).argmax())
        ours[rest] = shares[best, rest]
    sure = all(bootstrap((ours - sums)[mine], seed=seed).low > 0 for mine in (slice(None), *groups))
    return (SHARES[int(shares.mean(axis=1).argmax())] if sure else 0.0), ours


def _of(pool: Pool, features: Sequence[str]) -> np.ndarray:
    return pool.table[:, [pool.features.index(name) for name in features]]
