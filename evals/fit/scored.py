"""What every source says of every question's items, computed once, so that weights can be tried by the score.

A question's pool is the union of each source's best items and the targets. Each source is scored in several
settings (`VARIANTS`); scores are divided by the best one of the question, as recall.mixture does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit

from evals.fit.heldout import HeldOut
from recall.recallers import open_recaller
from recall.recallers.content import Content
from recall.recallers.popular import HALF_LIVES
from recall.recallers.tuning import Tuning
from recall.weights import segment

DEPTH = 60
"""Best items of each source and setting that a pool takes in."""

VARIANTS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "als": [{"recency": length} for length in (0.0, 2.0, 4.0, 8.0, 16.0)],
    "item-to-item": [
        {"last_items": last, "item_decay": decay}
        for last, decay in ((3, 0.4), (5, 0.6), (10, 0.7), (20, 0.8), (20, 0.9), (50, 0.95))
    ],
    "transitions": [
        {"last_steps": last, "step_decay": decay}
        for last, decay in ((4, 0.5), (8, 0.7), (16, 0.85), (30, 0.92))
    ],
    "content": [{"content_decay": decay} for decay in (0.8, 0.9, 0.97, 1.0)],
    "text-factors": [{}],
    "popular": [{"half_life": length} for length in HALF_LIVES],
    "evergreen": [{}],
    "recent-on-platform": [{"new_days": days} for days in (7.0, 30.0)],
}
"""Settings of recall.recallers.tuning that are tried for each source."""


@dataclass(frozen=True, slots=True)
class Scored:
    """c ≥ 0 questions with pools of p items in all, and s columns: every source in every setting."""

    columns: tuple[tuple[str, Mapping[str, Any]], ...]
    scores: np.ndarray
    """float32[s × p], from 0 to 1"""
    starts: np.ndarray
    """int64[c + 1] offsets into the pools; a pool's items are sorted by row"""
    targets: np.ndarray
    """int64: positions in the pools"""
    target_starts: np.ndarray
    """int64[c + 1] offsets into `targets`"""
    segments: np.ndarray
    """str[c]: recall.weights.segment"""
    liked: np.ndarray
    """int32[c]: liked items in the history"""
    common: np.ndarray
    """float32[p]: facts that the item shares with what the person liked"""
    reached: np.ndarray
    """bool[targets]: whether any source brought the target into the pool"""

    def __len__(self) -> int:
        return len(self.segments)

    def of(self, source: str) -> list[int]:
        """The source's columns."""
        return [at for at, (name, _) in enumerate(self.columns) if name == source]

    def without(self, *sources: str) -> Scored:
        """As if these sources were not there, but for the pools."""
        kept = [at for at, (name, _) in enumerate(self.columns) if name not in sources]
        return replace(self, columns=tuple(self.columns[at] for at in kept), scores=self.scores[kept])

    def ndcg(
        self, chosen: Mapping[int, float], cases: np.ndarray | None = None, *, k: int = 10
    ) -> np.ndarray:
        """float64[cases]: NDCG@k of the weighted sum of columns; equal scores by row. None: all cases."""
        cases = np.arange(len(self)) if cases is None else cases
        total = np.zeros(self.scores.shape[1], np.float32)
        for column, weight in chosen.items():
            total += self.scores[column] * np.float32(weight)
        return self.ndcg_of(total, cases, k=k)

    def ndcg_of(self, total: np.ndarray, cases: np.ndarray, *, k: int = 10) -> np.ndarray:
        """As `ndcg`, of float32[p] scores."""
        return gains(
            total, total, np.zeros(1, np.float32), cases, self.starts, self.targets, self.target_starts, k
        )[0]


def score(
    held: HeldOut,
    arrays: Mapping[str, Mapping[str, np.ndarray]],
    *,
    variants: Mapping[str, Sequence[Mapping[str, Any]]] = VARIANTS,
    progress: Callable[[int, int], None] | None = None,
) -> Scored:
    """Ask every source in every setting; `progress` is called with the questions done, and all."""
    columns = [(name, setting) for name, all in variants.items() if name in arrays for setting in all]
    sources = [open_recaller(name, arrays, Tuning(**setting)) for name, setting in columns]
    pools, tables, targets, names = [], [], [], []
    liked, common, reached = [], [], []
    content = Content(arrays[Content.name], Tuning()) if Content.name in arrays else None
    count = len(held.persons)
    for case in range(count):
        query, wanted = held.query(case), held.wanted(case)
        found, tops = [], np.zeros(len(sources), np.float32)
        for at, source in enumerate(sources):
            rows, scores = source.scores(query, DEPTH)
            found.append(rows)
            tops[at] = scores[0] if len(scores) else 0.0
        brought = np.concatenate(found) if found else np.zeros(0, np.int32)
        rows = np.unique(np.concatenate([brought, wanted]))
        reached.append(np.isin(wanted, brought))
        common.append(content.facts_in_common(query, rows) if content else np.zeros(len(rows), np.float32))
        liked.append(len(query.liked()[1]))
        table = np.stack([np.maximum(source.at(query, rows), 0) for source in sources])
        tables.append(table * np.divide(1, tops, out=np.zeros_like(tops), where=tops > 0)[:, None])
        targets.append(np.searchsorted(rows, wanted))
        pools.append(len(rows))
        names.append(segment(query))
        if progress and (case % 50 == 49 or case + 1 == count):
            progress(case + 1, count)
    starts = np.r_[0, np.cumsum(pools)].astype(np.int64)
    shifted = [at + start for at, start in zip(targets, starts, strict=False)]
    return Scored(
        tuple(columns),
        np.ascontiguousarray(np.concatenate(tables, axis=1)) if tables else np.zeros((len(columns), 0), "f4"),
        starts,
        np.concatenate(shifted).astype(np.int64) if shifted else np.zeros(0, np.int64),
        held.starts,
        np.array(names, dtype=np.str_),
        np.array(liked, np.int32),
        np.concatenate(common) if common else np.zeros(0, np.float32),
        np.concatenate(reached) if reached else np.zeros(0, bool),
    )


@njit(cache=True, nogil=True)
def gains(  # type: ignore[no-untyped-def]
    base, column, steps, cases, starts, targets, target_starts, k
):
    """float64[steps × cases]: NDCG@k of base + step · column, several relevant items allowed.

    DCG with gain 1 over that of the best possible order (Järvelin, Kekäläinen 2002).
    """
    out = np.zeros((len(steps), len(cases)))
    for at in range(len(cases)):
        case = cases[at]
        low, high = target_starts[case], target_starts[case + 1]
        ideal = 0.0
        for place in range(min(k, high - low)):
            ideal += 1.0 / np.log2(place + 2.0)
        for step in range(len(steps)):
            weight = steps[step]
            for target in range(low, high):
                mine = targets[target]
                score = base[mine] + weight * column[mine]
                place = 0
                for other in range(starts[case], starts[case + 1]):
                    value = base[other] + weight * column[other]
                    if value > score or (value == score and other < mine):
                        place += 1
                        if place == k:
                            break
                if place < k:
                    out[step, at] += 1.0 / np.log2(place + 2.0) / ideal
    return out
