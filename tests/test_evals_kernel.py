from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.bench.metrics import run
from evals.kernel import METRICS, measure, measure_one
from evals.metrics import hit_rate, ndcg, places, reciprocal_rank
from recall.errors import MissingExtra


def _one(name: str, row: list[int], relevant: list[int], k: int) -> float:
    found = measure(
        np.array([row], np.int32), np.array([0, len(relevant)]), np.array(relevant, np.int32), [k]
    )
    return float(found[METRICS.index(name), 0, 0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ndcg", (1 / np.log2(3) + 1 / np.log2(5)) / (1 + 1 / np.log2(3) + 1 / np.log2(4))),
        ("recall", 2 / 3),
        ("precision", 2 / 4),
        ("f1", 2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2)),
        ("hit_rate", 1.0),
        ("mrr", 1 / 2),
        ("map", (1 / 2 + 2 / 4) / 3),
    ],
)
def test_by_hand(name: str, value: float) -> None:
    """The second and the fourth place are relevant, and a third item is not found."""
    assert _one(name, [9, 1, 8, 5, 7], [1, 4, 5], 4) == pytest.approx(value, abs=1e-12)


def test_a_short_list_counts_what_it_has() -> None:
    assert _one("precision", [3, -1, -1], [3], 3) == pytest.approx(1 / 3)
    assert _one("ndcg", [3, -1, -1], [3], 3) == 1.0
    assert _one("recall", [-1, -1], [3], 2) == 0.0


def test_nothing_relevant_counts_nothing_and_no_cases_are_no_values() -> None:
    assert measure(np.array([[1]], np.int32), np.array([0, 0]), np.zeros(0, np.int32), [1]).sum() == 0
    assert measure(np.zeros((0, 5), np.int32), np.array([0]), np.zeros(0, np.int32), [1, 5]).shape == (
        7,
        2,
        0,
    )


def test_a_cut_off_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        measure(np.zeros((1, 2), np.int32), np.array([0, 1]), np.zeros(1, np.int32), [0])


@given(st.integers(0, 2**32 - 1), st.integers(1, 10))
def test_one_target_agrees_with_the_metrics_by_place(seed: int, k: int) -> None:
    draw = np.random.default_rng(seed)
    lists = np.stack([draw.permutation(15)[:10] for _ in range(6)]).astype(np.int32)
    targets = draw.integers(0, 15, 6).astype(np.int32)
    found, place = measure_one(lists, targets, [k])[:, 0], places(lists, targets)
    for name, theirs in (("ndcg", ndcg), ("hit_rate", hit_rate), ("mrr", reciprocal_rank)):
        assert found[METRICS.index(name)] == pytest.approx(theirs(place, k), abs=1e-12)


@pytest.mark.long  # ranx compiles for half a minute
def test_as_ranx_has_them_on_random_lists_at_several_cut_offs() -> None:
    ranx = pytest.importorskip("ranx")
    draw = np.random.default_rng(0)
    lists = np.stack([draw.permutation(60)[:30] for _ in range(200)]).astype(np.int32)
    relevant = [np.sort(draw.permutation(60)[: draw.integers(1, 12)]).astype(np.int32) for _ in range(200)]
    starts = np.r_[0, np.cumsum([len(row) for row in relevant])]
    ks = [1, 5, 10, 30]
    ours = measure(lists, starts, np.concatenate(relevant), ks)
    names = [f"{metric}@{k}" for metric in METRICS for k in ks]
    qrels = ranx.Qrels({f"{c:03}": {str(i): 1 for i in row} for c, row in enumerate(relevant)})
    asked = {f"{c:03}": {str(i): 30.0 - at for at, i in enumerate(row)} for c, row in enumerate(lists)}
    theirs = ranx.evaluate(qrels, ranx.Run(asked), names, return_mean=False)
    flat = ours.reshape(len(names), -1)
    for row, name in zip(flat, names, strict=True):
        assert np.abs(row - theirs[name]).max() < 1e-9, name


@pytest.mark.long
def test_the_bench_agrees_with_its_peer(tmp_path: Path) -> None:
    try:
        figures = run(quick=True, cache=tmp_path, workspace=None, progress=lambda text: None)
    except MissingExtra as error:
        pytest.skip(str(error))
    assert {figure.agree for figure in figures} == {1.0, None}
    assert all(figure.ratio is None or figure.ratio < 1 for figure in figures)
