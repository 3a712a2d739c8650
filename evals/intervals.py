"""Intervals of means over people, by resampling the people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
    generator = np.random.default_rng(seed)
    means = np.empty(rounds)
    for number in range(rounds):
        means[number] = values[generator.integers(0, len(values), len(values))].mean()
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high))
