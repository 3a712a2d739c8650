from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.intervals import bootstrap
from evals.paired import compare, detectable, holm, permutation


def test_a_clear_difference_is_found_and_its_sign_is_second_minus_first() -> None:
    draw = np.random.default_rng(0)
    first = draw.random(150)
    found = compare(first, first + 0.2 + draw.normal(0, 0.1, 150))
    assert 0.15 < found.difference.low < found.difference.mean < found.difference.high < 0.25
    assert found.p < 0.001 and found.effect > 1
    assert found.wins > 130 and found.wins + found.ties + found.losses == found.people == 150


def test_the_same_values_differ_in_nothing() -> None:
    found = compare(np.ones(20), np.ones(20))
    assert (found.p, found.effect, found.ties, found.difference.mean) == (1.0, 0.0, 20, 0.0)


def test_nobody_is_no_evidence() -> None:
    found = compare(np.zeros(0), np.zeros(0))
    assert np.isnan(found.p) and np.isnan(found.detectable) and np.isnan(found.difference.mean)


def test_other_people_are_refused() -> None:
    with pytest.raises(ValueError, match="same people"):
        compare(np.zeros(3), np.zeros(4))


def test_the_permutation_test_agrees_with_all_sign_patterns_counted() -> None:
    difference = np.array([0.5, 0.1, -0.2, 0.4, 0.3, -0.1, 0.6, 0.2])
    signs = np.array([[1 if bits >> at & 1 else -1 for at in range(8)] for bits in range(256)])
    exact = (np.abs(signs @ difference) >= abs(difference.sum()) - 1e-12).mean()
    assert permutation(difference, rounds=20_000) == pytest.approx(exact, abs=0.01)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, float("nan"), 0.9])[0] == 1.0 and np.isnan(holm([float("nan")])[0])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_a_p_nor_changes_their_order(ps: list[float]) -> None:
    adjusted = holm(ps)
    assert all(a >= p for a, p in zip(adjusted, ps, strict=True))
    ranked = [adjusted[at] for at in np.argsort(ps, kind="stable")]
    assert ranked == sorted(ranked)


def test_a_true_difference_of_the_detectable_size_is_found_four_times_in_five() -> None:
    draw, found = np.random.default_rng(3), 0
    size = detectable(1.0, 80)
    for seed in range(150):
        interval = bootstrap(draw.normal(size, 1, 80), seed=seed, rounds=400)
        found += interval.low > 0
    assert 0.7 < found / 150 < 0.9
