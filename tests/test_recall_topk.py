from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recall.topk import FactorIndex, top_k, top_k_block


def trained_like(items: int = 3000, k: int = 16, seed: int = 0) -> np.ndarray:
    """Factors with skewed norms, the first hundred items repeated (exact ties), some without factors."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(items, k)) / np.arange(1, items + 1)[:, None] ** 0.4
    factors[items // 2 : items // 2 + 100] = factors[:100]
    factors[-50:] = 0
    return factors.astype(np.float32)


FACTORS = trained_like()
EXACT, HALF = FactorIndex.build(FACTORS), FactorIndex.build(FACTORS, half=True)
USERS = np.random.default_rng(1).normal(size=(300, 16)).astype(np.float32)


def brute(user: np.ndarray, barred: np.ndarray, n: int) -> np.ndarray:
    scores = FACTORS.astype(np.float64) @ user
    rows = np.setdiff1d(np.flatnonzero(FACTORS.any(axis=1)), barred)
    return rows[np.lexsort((rows, -scores[rows]))][:n]


def assert_same(user: np.ndarray, rows: np.ndarray, expected: np.ndarray) -> None:
    """The same scores in the same order; the same items but for scores that are equal within tolerance."""
    exact = FACTORS.astype(np.float64) @ user
    tolerance = np.linalg.norm(user) * EXACT.norms[0] * 2.0**-19
    assert len(set(rows.tolist())) == len(rows) == len(expected)
    assert np.abs(exact[rows] - exact[expected]).max() < tolerance


@pytest.mark.parametrize("index", [EXACT, HALF], ids=["float32", "float16"])
def test_it_finds_the_same_items_as_a_full_sort_in_the_same_order(index: FactorIndex) -> None:
    for user in USERS[:50]:
        rows, scores = top_k(index, user, 200)
        assert_same(user, rows, brute(user, np.zeros(0, int), 200))
        assert np.abs(scores - FACTORS[rows] @ user).max() < 1e-4


def test_equal_scores_come_in_the_order_of_their_rows() -> None:
    rows, scores = top_k(EXACT, USERS[0], 3000)
    same = scores[1:] == scores[:-1]
    assert same.sum() >= 90
    assert (rows[1:][same] > rows[:-1][same]).all()


def test_seen_and_barred_items_are_never_found_and_their_places_are_filled() -> None:
    allowed = np.arange(len(FACTORS)) % 3 != 0
    exclude = np.sort(brute(USERS[0], np.zeros(0, int), 400)[::2]).astype(np.int32)
    rows, _ = top_k(EXACT, USERS[0], 300, exclude, allowed)
    barred = np.union1d(exclude, np.flatnonzero(~allowed))
    assert not np.isin(rows, barred).any()
    assert_same(USERS[0], rows, brute(USERS[0], barred, 300))


@pytest.mark.parametrize("index", [EXACT, HALF], ids=["float32", "float16"])
def test_a_block_of_users_gives_what_each_gives_alone(index: FactorIndex) -> None:
    rng = np.random.default_rng(2)
    barred = [np.sort(rng.choice(3000, rng.integers(0, 100), replace=False)).astype(np.int32) for _ in USERS]
    offsets = np.r_[0, np.cumsum([len(each) for each in barred])]
    rows, scores = top_k_block(index, USERS, 40, (offsets, np.concatenate(barred)))
    for u, user in enumerate(USERS):
        alone, alone_scores = top_k(index, user, 40, barred[u])
        assert rows[u].tolist() == alone.tolist()
        assert scores[u].tolist() == alone_scores.tolist()


def test_more_than_there_are_gives_all_that_have_factors_once() -> None:
    rows, _ = top_k(EXACT, USERS[0], 10_000)
    assert sorted(rows.tolist()) == list(range(2950))
    block, scores = top_k_block(EXACT, USERS[:2], 3100)
    assert block.shape == (2, 3100)
    assert (block[:, 2950:] == -1).all()
    assert np.isneginf(scores[:, 2950:]).all()


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_user_who_likes_nothing_or_is_not_finite_gets_no_item(value: float) -> None:
    user = np.full(16, value, np.float32)
    assert len(top_k(EXACT, user, 10)[0]) == 0
    assert (top_k_block(EXACT, np.stack([user, USERS[0]]), 10)[0][0] == -1).all()


def test_a_catalogue_without_factors_gives_nothing() -> None:
    empty = FactorIndex.build(np.zeros((5, 16), np.float32))
    assert len(top_k(empty, USERS[0], 10)[0]) == 0
    assert (top_k_block(empty, USERS[:2], 3)[0] == -1).all()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 70), st.integers(1, 9), st.integers(0, 80), st.booleans())
def test_any_small_world_agrees_with_a_full_sort(seed: int, items: int, k: int, n: int, half: bool) -> None:
    rng = np.random.default_rng(seed)
    # Small whole numbers: exact in float32 and full of ties.
    factors = rng.integers(-2, 3, (items, k)).astype(np.float32)
    user = rng.integers(-2, 3, k).astype(np.float32)
    exclude = np.flatnonzero(rng.random(items) < 0.3).astype(np.int32)
    rows, scores = top_k(FactorIndex.build(factors, half=half), user, n, exclude)
    exact = factors @ user
    open_rows = np.setdiff1d(np.flatnonzero(factors.any(axis=1)), exclude)
    expected = open_rows[np.lexsort((open_rows, -exact[open_rows]))][:n] if user.any() else open_rows[:0]
    assert rows.tolist() == expected.tolist()
    assert np.abs(scores - exact[rows]).max(initial=0) < 1e-4


def test_arrays_of_an_index_make_the_same_index_again() -> None:
    again = FactorIndex.of(HALF.arrays())
    assert top_k(again, USERS[0], 50)[0].tolist() == top_k(HALF, USERS[0], 50)[0].tolist()


def test_threads_searching_at_once_agree() -> None:
    expected = [top_k(EXACT, user, 50)[0].tolist() for user in USERS[:40]]
    found: dict[int, list[list[int]]] = {}

    def work(thread: int) -> None:
        found[thread] = [top_k(EXACT, user, 50)[0].tolist() for user in USERS[:40]]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[number] == expected for number in range(4))
