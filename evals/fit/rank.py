"""The weight of a model's order against recall's, by segment, from orders recorded on validation cases.

The weight is judged on people whom it was not chosen on (five folds), because the best of many weights looks
better than it is on the people who chose it. A segment keeps weight 0 unless the interval of that gain lies
above zero; the intervals of all segments hold together (Bonferroni).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evals.fit.orders import Order
from evals.fit.validation import SPLIT, Question, digest
from evals.intervals import bootstrap
from evals.metrics import ndcg
from prompts import Prompt
from recall.errors import DataError
from rerank.blend import blend
from rerank.pipeline import Pipeline
from rerank.types import Ranking
from rerank.weights import Gain, RankFit, SegmentWeight

WEIGHTS = tuple(step / 20 for step in range(21))
"""0, 0.05 … 1."""

K, METRIC = 10, "ndcg@10"
FOLDS = 5
LEVEL = 0.95
"""At which the intervals of all segments hold together."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One case: which segments it is in, and what each of WEIGHTS makes of it."""

    segments: tuple[str, ...]
    quality: np.ndarray
    """float64[weights]: NDCG@10 of the blended order; 0 where the target is not among the candidates."""


def judge(order: Order, cap: int | None) -> Judged:
    """The blend of the recorded order with recall's at every weight."""
    places = np.full(len(WEIGHTS), order.n, np.int64)
    if order.target is not None and order.target < len(order.order):
        ranking = Ranking(order.order, order.places)
        for row, weight in enumerate(WEIGHTS):
            places[row] = blend([0.0] * order.n, ranking, weight, cap).order.index(order.target)
    elif order.target is not None:
        places[:] = order.target
    return Judged(order.segments, np.where(places < order.n, ndcg(places, K), 0.0))


def choose(
    judged: Sequence[Judged], *, least: int = 100, seed: int = 0, level: float = LEVEL
) -> dict[str, SegmentWeight]:
    """The weight of every segment that at least `least` cases are in; {} where there is none."""
    members: dict[str, list[int]] = {}
    for case, one in enumerate(judged):
        for name in one.segments:
            members.setdefault(name, []).append(case)
    large = {name: cases for name, cases in sorted(members.items()) if len(cases) >= max(least, FOLDS)}
    if not large:
        return {}
    quality = np.stack([one.quality for one in judged])
    own = 1 - (1 - level) / len(large)
    return {name: _segment(quality[cases], seed, own) for name, cases in large.items()}


def _segment(quality: np.ndarray, seed: int, level: float) -> SegmentWeight:
    """`quality` is float64[cases × weights], weight 0 first. Ties go to the smaller weight."""
    best = _best(quality)
    fold = np.random.default_rng(seed).permutation(len(quality)) % FOLDS
    gains = np.empty(len(quality))
    for number in range(FOLDS):
        mine = fold == number
        gains[mine] = quality[mine, _best(quality[~mine])] - quality[mine, 0]
    found = bootstrap(gains, seed=seed, level=level)
    gain = Gain(mean=found.mean, low=found.low, high=found.high, level=level)
    weight = WEIGHTS[best] if found.low > 0 else 0.0
    return SegmentWeight(weight=weight, best=WEIGHTS[best], people=len(quality), gain=gain)


def _best(quality: np.ndarray) -> int:
    return int(np.argmax(np.round(quality.mean(axis=0), 9)))


def mean_quality(orders: Sequence[Order], cap: int | None) -> dict[float, float]:
    """Mean NDCG@10 over all cases at every weight, for people; {} without cases."""
    if not orders:
        return {}
    means = np.stack([judge(order, cap).quality for order in orders]).mean(axis=0)
    return {weight: float(mean) for weight, mean in zip(WEIGHTS, means, strict=True)}


def identity(
    pipeline: Pipeline,
    prompt: Prompt,
    asked: Sequence[Question],
    *,
    model: str,
    build: str,
    language: str,
    seed: int,
) -> dict[str, Any]:
    """All that the recorded orders depend on: the model, the wording, the settings, the cases."""
    blending = {"weight", "cap", "deadline", "prompt", "concurrency", "batch"}
    return {
        "model": model,
        "prompt": prompt.id,
        "prompt_hash": prompt.file_hash,
        "language": language,
        "domains": dict(pipeline.domains),
        "rank": pipeline.rank.model_dump(exclude=blending),
        "data": build,
        "cases": digest(asked),
        "seed": seed,
    }


def fit_weights(
    orders: Sequence[Order],
    asked: Mapping[str, Any],
    *,
    prompt: Prompt,
    cap: int | None,
    least: int = 100,
    seed: int = 0,
) -> RankFit:
    """What the weight file keeps. `asked` is the `identity` of the orders.

    DataError where several models answered, as with a fallback: a weight is one model's.
    """
    return RankFit(
        model=_served(orders) or asked["model"],
        method=prompt.method,
        prompt=prompt.id,
        prompt_hash=prompt.file_hash,
        metric=METRIC,
        data=asked["data"],
        split=f"{SPLIT}; cases {asked['cases']}",
        seed=seed,
        people=len(orders),
        depth=asked["rank"]["depth"],
        cap=cap,
        fitted=int(time.time()),
        segments=choose([judge(order, cap) for order in orders], least=least, seed=seed),
    )


def _served(orders: Sequence[Order]) -> str | None:
    served = sorted({order.model for order in orders if order.model})
    if len(served) > 1:
        raise DataError(f"{', '.join(served)} answered in turn: configure one endpoint, and fit again")
    return served[0] if served else None
