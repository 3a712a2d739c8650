"""Whether the intervals and tests are honest: 1,000 fixed seeds of a better arm, and of two alike."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from evals.kernel import METRICS, measure_one
from evals.paired import compare

SEEDS, PEOPLE, PLACES = 1000, 150, 20
RATE = 0.4
LOW, HIGH = (int(binom.ppf(q, SEEDS, 0.05)) for q in (0.005, 0.995))
"""Of the times that a 95 % interval may miss, or a 5 % test be wrong: the 99 % binomial band."""


def _shuffled_oracle(draw: np.random.Generator, rate: float) -> np.ndarray:
    """float64[people]: NDCG@10 of an engine that puts the target first, but shuffles with odds `rate`."""
    place = np.where(draw.random(PEOPLE) < rate, draw.integers(0, PLACES, PEOPLE), 0).astype(np.int32)
    lists = np.tile(np.arange(PLACES, dtype=np.int32), (PEOPLE, 1))
    return measure_one(lists, place, [10])[METRICS.index("ndcg"), 0]


def _truth(rate: float) -> float:
    """Expected NDCG@10 of such an engine."""
    shuffled = (1 / np.log2(np.arange(10) + 2)).sum() / PLACES
    return float(1 - rate + rate * shuffled)


@pytest.mark.long
def test_the_interval_of_a_difference_covers_the_truth_as_often_as_it_says() -> None:
    missed = found = 0
    truth = _truth(0.0) - _truth(RATE)
    for seed in range(SEEDS):
        draw = np.random.default_rng(seed)
        paired = compare(_shuffled_oracle(draw, RATE), _shuffled_oracle(draw, 0.0), seed=seed, rounds=1000)
        missed += not paired.difference.low <= truth <= paired.difference.high
        found += paired.difference.low > 0 and paired.p < 0.05
    print(f"missed {missed} of {SEEDS}, band {LOW} to {HIGH}")
    assert LOW <= missed <= HIGH
    assert found == SEEDS


@pytest.mark.long
def test_two_arms_alike_are_told_apart_no_more_often_than_they_may() -> None:
    alarms = 0
    for seed in range(SEEDS):
        draw = np.random.default_rng(10_000 + seed)
        paired = compare(_shuffled_oracle(draw, RATE), _shuffled_oracle(draw, RATE), seed=seed, rounds=1000)
        alarms += paired.p < 0.05
    print(f"{alarms} false alarms of {SEEDS}, at most {HIGH}")
    assert alarms <= HIGH
