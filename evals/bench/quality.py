"""Lists that methods give to held-out questions, and how good they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit

from evals.bench.figure import Figure
from evals.fit.heldout import HeldOut
from evals.intervals import Interval, bootstrap
from recall.mixture import Mixture
from recall.recallers import Recaller

N = 300
COVERED = (20, 100, 300)


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one method, float64[c] for each of c people."""

    ndcg: np.ndarray
    """NDCG@10, several targets allowed (each gain 1, over the best possible order)"""
    hit: np.ndarray
    """1 where a target is among the first 10"""
    covered: Mapping[int, np.ndarray]
    """Share of the targets among the first 20, 100, 300"""


def judge(held: HeldOut, ask: Callable[[int], np.ndarray]) -> Quality:
    """`ask` gives a case's item rows, best first; at most N of them count."""
    lists = np.full((len(held.persons), N), -1, np.int32)
    for case in range(len(held.persons)):
        rows = ask(case)[:N]
        lists[case, : len(rows)] = rows
    place = places_of(lists, held.starts, held.targets)
    heads, counts = held.starts[:-1], np.diff(held.starts)
    if not len(counts):
        empty = np.zeros(0)
        return Quality(empty, empty, dict.fromkeys(COVERED, empty))
    gain = np.where(place < 10, 1.0 / np.log2(place + 2.0), 0.0)
    best = np.cumsum(1.0 / np.log2(np.arange(10) + 2.0))[np.minimum(counts, 10) - 1]
    return Quality(
        np.add.reduceat(gain, heads) / best,
        (np.minimum.reduceat(place, heads) < 10).astype(float),
        {k: np.add.reduceat((place < k).astype(float), heads) / counts for k in COVERED},
    )


def of_source(held: HeldOut, source: Recaller) -> Quality:
    """A recaller by itself; where it gives fewer than N nothing follows."""
    return judge(held, lambda case: source.scores(held.query(case), N)[0])


def of_blend(held: HeldOut, mixture: Mixture) -> Quality:
    """The blend of sources."""
    return judge(held, lambda case: mixture.scores(held.query(case), N)[0])


@njit(cache=True, nogil=True)
def places_of(lists, starts, targets):  # type: ignore[no-untyped-def]
    """int32[targets]: each target's place from 0 in its case's row of int32[cases × n]; n when absent."""
    cases, n = lists.shape
    found = np.full(len(targets), n, np.int32)
    for case in range(cases):
        for target in range(starts[case], starts[case + 1]):
            for place in range(n):
                if lists[case, place] == targets[target]:
                    found[target] = place
                    break
    return found


def figures_of(name: str, found: Mapping[str, Quality], *, seed: int = 0) -> list[Figure]:
    """Every metric of every method."""
    figures = []
    for method, quality in found.items():
        interval = bootstrap(quality.ndcg, seed=seed)
        figures.append(_figure(name, interval, "NDCG@10", method))
        figures.append(Figure(name, round(float(quality.hit.mean()), 4), "HR@10", method))
        for k, covered in quality.covered.items():
            figures.append(Figure(name, round(float(covered.mean()), 4), f"coverage@{k}", method))
    return figures


def over(
    name: str, ours: Quality, peer: str, theirs: Quality, *, method: str = "blend", seed: int = 0
) -> Figure:
    """The mean difference of NDCG@10 on the same people, and the ratio of the means."""
    interval = bootstrap(ours.ndcg - theirs.ndcg, seed=seed)
    mean = float(theirs.ndcg.mean())
    ratio = float(ours.ndcg.mean()) / mean if mean > 0 else None
    return _figure(f"{name}: {method} over it", interval, "NDCG@10", peer, ratio)


def _figure(name: str, interval: Interval, unit: str, peer: str, ratio: float | None = None) -> Figure:
    value, low, high = (round(each, 4) for each in (interval.mean, interval.low, interval.high))
    return Figure(name, value, unit, peer, ratio, low=low, high=high)
