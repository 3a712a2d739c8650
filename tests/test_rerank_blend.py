"""The blend: weight 0 is recall order, weight 1 the model's, and a cap holds every item near its place."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.blend import blend
from rerank.types import Ranking
from rerank.windows import aggregate, deal, orders, sliding


def _ranking(order: list[int]) -> Ranking:
    return Ranking(tuple(order), ("model",) * len(order))


_CASES = st.integers(0, 30).flatmap(
    lambda n: st.tuples(
        st.permutations(range(n)), st.integers(n, n + 10), st.floats(0, 1), st.integers(0, 31)
    )
)


@given(_CASES)
def test_blending_is_a_permutation_with_falling_scores_and_the_rest_behind(case) -> None:  # type: ignore[no-untyped-def]
    order, n, weight, _ = case
    blended = blend([1.0] * n, _ranking(order), weight)
    assert sorted(blended.order) == list(range(n))
    assert blended.order[len(order) :] == tuple(range(len(order), n))
    assert list(blended.scores) == sorted(blended.scores, reverse=True)
    assert all(score >= 0 for score in blended.scores)


@given(_CASES)
def test_weight_zero_is_exactly_recall_order_and_weight_one_the_models(case) -> None:  # type: ignore[no-untyped-def]
    order, n, _, _ = case
    assert blend([0.0] * n, _ranking(order), 0).order == tuple(range(n))
    assert blend([0.0] * n, _ranking(order), 1).order[: len(order)] == tuple(order)


@given(_CASES)
def test_no_item_moves_further_than_the_cap(case) -> None:  # type: ignore[no-untyped-def]
    order, n, weight, cap = case
    blended = blend([0.0] * n, _ranking(order), weight, cap)
    assert sorted(blended.order) == list(range(n))
    assert all(abs(place - position) <= cap for place, position in enumerate(blended.order))


def test_a_cap_that_binds_nobody_changes_nothing() -> None:
    order = random.Random(3).sample(range(20), 20)
    assert blend([0.0] * 20, _ranking(order), 0.5, 20) == blend([0.0] * 20, _ranking(order), 0.5)


def test_what_the_model_was_not_asked_about_counts_as_where_recall_put_it() -> None:
    ranking = Ranking((2, 0, 1), ("model", "recall", "recall"))
    assert blend([3.0, 2.0, 1.0], ranking, 0.6).order == (0, 2, 1)


def test_a_weight_outside_zero_to_one_is_refused() -> None:
    with pytest.raises(ValueError, match="blend weight"):
        blend([1.0], _ranking([0]), 1.5)


def test_windows_run_from_back_to_front_and_end_at_the_first_place() -> None:
    assert sliding(45, 20, 10) == [(25, 45), (15, 35), (5, 25), (0, 15)]
    assert sliding(0, 20, 10) == []
    assert len(sliding(100, 20, 10)) == 9


def test_dealing_spreads_the_first_places_over_the_groups() -> None:
    groups = deal(range(45), 20)
    assert [group[0] for group in groups] == [0, 1, 2]
    assert sorted(place for group in groups for place in group) == list(range(45))


def test_aggregating_one_order_gives_it_back_and_shuffles_are_seeded() -> None:
    assert aggregate([[2, 0, 1]]) == [2, 0, 1]
    assert orders(9, 4, 1) == orders(9, 4, 1)
    assert orders(9, 1, 1) == [list(range(9))]
