from __future__ import annotations

import implicit
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from recall.errors import ArtefactError
from recall.foldin import fold_in, gram, solve

RNG = np.random.default_rng(3)
FACTORS = RNG.normal(size=(200, 16)).astype(np.float32)
GRAM = gram(FACTORS, 0.5)


@pytest.mark.parametrize("events", [1, 7, 100])
def test_it_reproduces_implicits_recalculate_user(events: int) -> None:
    model = implicit.cpu.als.AlternatingLeastSquares(16, regularization=0.5, alpha=3.0, num_threads=1)
    model.item_factors = FACTORS
    items = np.sort(RNG.choice(200, events, replace=False))
    weights = RNG.random(events).astype(np.float32) * 2
    row = csr_matrix((weights, (np.zeros(events, int), items)), shape=(1, 200))
    expected = model.recalculate_user(0, row)
    assert np.abs(fold_in(GRAM, FACTORS, items, 3 * weights) - expected).max() < 1e-4


def test_an_empty_history_gives_zeros() -> None:
    assert not fold_in(GRAM, FACTORS, np.zeros(0, np.int32), np.zeros(0, np.float32)).any()


def test_repeated_items_count_as_one_with_the_summed_confidence() -> None:
    twice = fold_in(GRAM, FACTORS, np.array([5, 9, 5]), np.array([1.0, 2.0, 3.0]))
    once = fold_in(GRAM, FACTORS, np.array([5, 9]), np.array([4.0, 2.0]))
    assert np.allclose(twice, once, atol=1e-6)


@given(
    arrays(np.int64, st.integers(0, 20), elements=st.integers(-300, 300)),
    st.data(),
)
def test_no_input_breaks_the_solve(items: np.ndarray, data: st.DataObject) -> None:
    confidence = data.draw(arrays(np.float32, len(items), elements=st.floats(width=32)))
    confidence = np.where(np.abs(confidence) > 1e6, np.nan, confidence)
    assert np.isfinite(fold_in(GRAM, FACTORS, items, confidence)).all()


def test_contributions_of_the_solved_system_sum_to_the_score() -> None:
    items, confidence = np.array([3, 50, 120]), np.array([2.0, 0.5, 9.0], np.float32)
    folded = solve(GRAM, FACTORS, items, confidence)
    parts = confidence * (FACTORS[items] @ folded.solve(FACTORS[77]))
    assert abs(parts.sum() - FACTORS[77] @ folded.user) < 1e-4


def test_a_damaged_system_is_refused() -> None:
    with pytest.raises(ArtefactError, match="not positive definite"):
        solve(-GRAM, FACTORS, np.array([1]), np.array([1.0]))
