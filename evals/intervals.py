"""Intervals of means over people, by resampling the people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_CHUNK = 4_000_000
"""Draws held in memory at once."""


@dataclass(frozen=True, slots=True)
class Interval:
    mean: float
    low: float
    high: float


def bootstrap(values: np.ndarray, *, seed: int = 0, rounds: int = 2000, level: float = 0.95) -> Interval:
    """Percentile interval of the mean of float[people]; pass paired differences to compare two methods.

    Nothing known gives NaN. Efron 1979.
    """
    if len(values) == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    values = np.asarray(values, np.float64)
    generator = np.random.default_rng(seed)
    means = np.empty(rounds)
    step = max(1, _CHUNK // len(values))
    for first in range(0, rounds, step):
        last = min(rounds, first + step)
        drawn = generator.integers(0, len(values), (last - first, len(values)), dtype=np.int32)
        means[first:last] = values[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high))
