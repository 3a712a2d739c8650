from __future__ import annotations

import numpy as np
import pytest

from evals.intervals import bootstrap
from evals.metrics import hit_rate, ndcg, places, reciprocal_rank


def test_by_hand() -> None:
    found = places(np.array([[4, 7, 9], [1, 2, 3]], np.int32), np.array([7, 8], np.int32))
    assert found.tolist() == [1, 3]
    assert hit_rate(found, 2).tolist() == [1, 0]
    assert ndcg(found, 3) == pytest.approx([1 / np.log2(3), 0])
    assert reciprocal_rank(found, 3).tolist() == [0.5, 0]


@pytest.mark.long  # ranx compiles for half a minute
def test_as_ranx_has_them() -> None:
    ranx = pytest.importorskip("ranx")
    draw = np.random.default_rng(0)
    lists = np.stack([draw.permutation(40)[:20] for _ in range(50)]).astype(np.int32)
    targets = draw.integers(0, 40, 50).astype(np.int32)
    qrels = ranx.Qrels({str(u): {str(t): 1} for u, t in enumerate(targets)})
    run = ranx.Run({str(u): {str(i): 20.0 - at for at, i in enumerate(row)} for u, row in enumerate(lists)})
    names = ["ndcg@10", "hit_rate@10", "mrr@10"]
    theirs = ranx.evaluate(qrels, run, names, make_comparable=True)
    place = places(lists, targets)
    ours = [m(place, 10).mean() for m in (ndcg, hit_rate, reciprocal_rank)]
    assert ours == pytest.approx([theirs[name] for name in names], abs=1e-9)


def test_the_interval_holds_the_mean_and_narrows_with_people() -> None:
    draw = np.random.default_rng(1)
    few, many = bootstrap(draw.normal(1, 1, 50)), bootstrap(draw.normal(1, 1, 5000))
    assert few.low < few.mean < few.high and many.high - many.low < few.high - few.low
    assert np.isnan(bootstrap(np.zeros(0)).mean)
