"""What a list is worth beside accuracy: coverage, novelty, popularity, concentration, variety, surprise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, log2

import numpy as np

from evals.cases import Case, PoolItem
from recall.types import LIKE

SMOOTHING = 0.01
"""Of calibration: the share of the history's mix that is put under the list's, so that it is never 0."""


@dataclass(frozen=True, slots=True)
class Beyond:
    """Means over lists of k items; NaN without any."""

    k: int
    catalogue: float
    """Share of the catalogue that is in any list."""
    novelty: float
    """Mean −log2 of the share of people who liked an item (Vargas, Castells 2011), in bits."""
    popularity: float
    """Mean number of people who liked an item."""
    gini: float
    """Concentration of the lists' places over the items that occur: 0 even, towards 1 on few items."""
    diversity: float
    """Mean over pairs in a list of 1 − Jaccard of their categories (intra-list diversity, Ziegler 2005)."""
    serendipity: float
    """Mean share of the first k that are the target and not among the k most popular of the same
    candidates (Ge 2010)."""
    calibration: float
    """Mean divergence KL(history's category mix ‖ list's) (Steck 2018), in nats; 0 is the same mix."""


def beyond(
    lists: Sequence[tuple[Case, Sequence[str]]],
    items: Mapping[str, PoolItem],
    *,
    k: int,
    people: int,
    catalogue: int,
) -> Beyond:
    """`lists` pairs cases with item ids, best first; `people` liked anything, `catalogue` counts items."""
    tops = [(case, list(shown[:k])) for case, shown in lists]
    shown = Counter(item for _, top in tops for item in top)
    known = max(people, 1)
    liked = [items[item].people for item in shown.elements()]
    return Beyond(
        k=k,
        catalogue=len(shown) / catalogue if catalogue and shown else float("nan"),
        novelty=_mean([-log2(max(count, 1) / max(known, count, 1)) for count in liked]),
        popularity=_mean(liked),
        gini=gini(list(shown.values())),
        diversity=_mean([d for _, top in tops if (d := diversity(top, items)) is not None]),
        serendipity=_mean([_serendipity(case, top, k) for case, top in tops]),
        calibration=_mean([c for case, top in tops if (c := calibration(case, top, items)) is not None]),
    )


def gini(counts: Sequence[int]) -> float:
    """Of non-negative counts: 0 when all are equal; NaN without any."""
    ordered = np.sort(np.asarray(counts, np.float64))
    n = len(ordered)
    if n == 0 or ordered.sum() == 0:
        return float("nan")
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * ordered.sum()))


def diversity(top: Sequence[str], items: Mapping[str, PoolItem]) -> float | None:
    """None for fewer than two items that have categories."""
    tags = [frozenset(items[item].item.categories) for item in top]
    tags = [one for one in tags if one]
    pairs = [(a, b) for at, a in enumerate(tags) for b in tags[at + 1 :]]
    return _mean([1 - len(a & b) / len(a | b) for a, b in pairs]) if pairs else None


def calibration(case: Case, top: Sequence[str], items: Mapping[str, PoolItem]) -> float | None:
    """None where the liked history or the list has no categories."""
    liked = dict.fromkeys(event.item for event in case.history if event.polarity == LIKE)
    p, q = _mix(list(liked), items), _mix(top, items)
    if not p or not q:
        return None
    return sum(
        share * log(share / ((1 - SMOOTHING) * q.get(name, 0.0) + SMOOTHING * share))
        for name, share in p.items()
    )


def _mix(ids: Sequence[str], items: Mapping[str, PoolItem]) -> dict[str, float]:
    """Each category's share, an item's one vote divided among its categories."""
    votes: Counter[str] = Counter()
    for id in ids:
        names = items[id].item.categories
        for name in names:
            votes[name] += 1 / len(names)  # type: ignore[assignment]
    total = sum(votes.values())
    return {name: count / total for name, count in votes.items()} if total else {}


def _serendipity(case: Case, top: Sequence[str], k: int) -> float:
    order = sorted(range(len(case.candidates)), key=lambda at: -case.popularity[at])
    expected = {case.candidates[at].item for at in order[:k]}
    return sum(item == case.target and item not in expected for item in top) / k


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
