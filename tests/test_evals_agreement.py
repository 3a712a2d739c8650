"""Kendall's tau and rank-biased overlap, against scipy, their definitions and worked cases."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from evals.agreement import PERSISTENCE, kendall, mean_agreement, overlap

ORDERS = st.integers(2, 30).flatmap(lambda n: st.tuples(st.permutations(range(n)), st.permutations(range(n))))


@given(ORDERS)
def test_tau_is_scipys(pair) -> None:  # type: ignore[no-untyped-def]
    first, second = pair
    n = len(first)
    places = [[order.index(item) for item in range(n)] for order in (first, second)]
    assert kendall(first, second) == pytest.approx(kendalltau(*places).statistic)


@given(ORDERS)
def test_overlap_is_its_definition_summed_term_by_term(pair) -> None:  # type: ignore[no-untyped-def]
    first, second = pair
    n, p = len(first), PERSISTENCE
    shared = [len(set(first[:d]) & set(second[:d])) for d in range(1, n + 1)]
    terms = sum(x / d * p**d for d, x in enumerate(shared, 1))
    assert overlap(first, second) == pytest.approx(shared[-1] / n * p**n + (1 - p) / p * terms)
    assert 0 <= overlap(first, second) <= 1 + 1e-12


def test_the_same_order_agrees_fully_and_a_reversed_one_not_at_all() -> None:
    order = random.Random(1).sample(range(20), 20)
    assert (kendall(order, order), kendall(order, order[::-1])) == (1.0, -1.0)
    assert overlap(order, order) == pytest.approx(1.0)
    assert overlap(order, order[::-1]) < overlap(order, order[1:] + order[:1])


def test_orders_of_other_items_are_refused_and_single_ones_agree() -> None:
    with pytest.raises(ValueError, match="same distinct items"):
        kendall([1, 2], [1, 3])
    assert kendall([7], [7]) == 1.0 and overlap([], []) == 1.0


def test_the_mean_is_over_all_pairs() -> None:
    tau, _ = mean_agreement([[0, 1, 2], [0, 1, 2], [2, 1, 0]])
    assert tau == pytest.approx((1 - 1 - 1) / 3)
    assert all(value != value for value in mean_agreement([[0, 1]]))
