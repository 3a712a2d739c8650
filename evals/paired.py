"""Two arms on the same people: difference, interval, tests, and what the sample could have shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from evals.intervals import Interval, bootstrap

ALPHA, POWER = 0.05, 0.8
"""Of tests, and of the minimal detectable effect."""


@dataclass(frozen=True, slots=True)
class Paired:
    """Second arm minus first, over people who have both."""

    people: int
    difference: Interval
    p: float
    """Of the permutation test, two-sided; NaN without people."""
    effect: float
    """Cohen's d of paired differences: mean / standard deviation; 0 when nothing differs."""
    detectable: float
    """The smallest true difference that this many people would show with a power of 80 % at 5 %."""
    wins: int
    """People for whom the second arm is better."""
    ties: int
    losses: int


def compare(first: np.ndarray, second: np.ndarray, *, seed: int = 0, rounds: int = 2000) -> Paired:
    """Compare float[people] with float[people] of the same people in the same order; both may be empty."""
    if first.shape != second.shape:
        raise ValueError(f"paired values of {len(first)} and {len(second)}: they must be the same people")
    difference = np.asarray(second, np.float64) - np.asarray(first, np.float64)
    spread = float(difference.std(ddof=1)) if len(difference) > 1 else 0.0
    mean = float(difference.mean()) if len(difference) else 0.0
    return Paired(
        people=len(difference),
        difference=bootstrap(difference, seed=seed, rounds=rounds),
        p=permutation(difference, seed=seed + 1, rounds=rounds),
        effect=mean / spread if spread > 0 else 0.0,
        detectable=detectable(spread, len(difference)),
        wins=int((difference > 0).sum()),
        ties=int((difference == 0).sum()),
        losses=int((difference < 0).sum()),
    )


def permutation(difference: np.ndarray, *, seed: int = 0, rounds: int = 2000) -> float:
    """Two-sided p of a mean paired difference: how often random signs give one as far from 0.

    (hits + 1) / (rounds + 1), so that p is never 0 and the test never too bold (Phipson, Smyth 2010).
    People without a difference change nothing and are left out. NaN without people.
    """
    if len(difference) == 0:
        return float("nan")
    moved = difference[difference != 0]
    if len(moved) == 0:
        return 1.0
    rng = np.random.default_rng(seed)
    observed, hits = abs(moved.sum()) * (1 - 1e-12), 0
    step = max(1, 4_000_000 // len(moved))
    for first in range(0, rounds, step):
        size = min(rounds, first + step) - first
        signs = rng.integers(0, 2, (size, len(moved)), dtype=np.int8) * np.int8(2) - np.int8(1)
        hits += int((np.abs(signs @ moved) >= observed).sum())
    return (hits + 1) / (rounds + 1)


def detectable(spread: float, people: int, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """(z of 1 − alpha/2 + z of power) · spread / √people; NaN for fewer than two people."""
    if people < 2:
        return float("nan")
    normal = NormalDist()
    return (normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)) * spread / people**0.5


def holm(ps: Sequence[float]) -> list[float]:
    """Adjusted p of a family of tests, in their order (Holm 1979). NaN stays NaN and is not counted."""
    known = sorted((p, at) for at, p in enumerate(ps) if p == p)
    adjusted = [float("nan")] * len(ps)
    most = 0.0
    for number, (p, at) in enumerate(known):
        most = max(most, min(1.0, (len(known) - number) * p))
        adjusted[at] = most
    return adjusted
