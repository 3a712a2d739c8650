from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from test_recall_recallers import SMALL, tastes
from worlds import write_build

from evals.bench.factors import generated, power_law
from evals.bench.figure import Figure, against
from evals.bench.recall import run
from evals.bench.searches import agreement, argpartition, good_enough, peers, whyrec
from evals.bench.serving import serving
from recall.trainer import fit_artefact
from recall.workspace import Workspace


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> list[Figure]:
    folder = tmp_path_factory.mktemp("bench")
    return run(quick=True, cache=folder, workspace=Workspace(folder), progress=lambda text: None)


def test_every_exact_search_agrees_with_the_truth(figures: list[Figure]) -> None:
    exact = [f for f in figures if f.agree is not None and f.peer != "faiss fp16"]
    assert {f.peer for f in exact} >= {None, "implicit", "numpy argpartition", "whyrec float16"}
    assert all(figure.agree == 1.0 for figure in exact)


def test_all_parts_are_measured_with_median_and_tail(figures: list[Figure]) -> None:
    names = {figure.name for figure in figures}
    for part in ("top 300, power law", "top 300 of 64 users", "norms made equal", "fold-in", "opening"):
        assert any(part in name for name in names)
    assert all({"ms median", "ms p95"} <= {f.unit for f in figures if f.name == name} for name in names)
    assert all(figure.value >= 0 for figure in figures)


def test_ratios_compare_medians_of_the_same_turns() -> None:
    ours, theirs = np.array([1.0, 2.0, 9.0]), np.array([4.0, 4.0, 4.0])
    found = against("x", ours, {"peer": theirs}, {"whyrec": 0.5})
    assert [(f.peer, f.unit, f.value, f.ratio, f.agree) for f in found if f.unit == "ms median"] == [
        (None, "ms median", 2000.0, None, 0.5),
        ("peer", "ms median", 4000.0, 0.5, None),
    ]


def test_agreement_counts_wrong_seen_and_repeated_items_as_missed() -> None:
    factors = np.arange(1, 21, dtype=np.float32)[:, None]
    user = np.ones((1, 1), np.float32)
    seen = csr_matrix((1, 20), dtype=np.float32)
    seen[0, 19] = 1.0
    good = good_enough(factors, user, seen, 4)
    assert agreement(good, np.array([[18, 17, 16, 15]]), 4) == 1.0
    assert agreement(good, np.array([[19, 18, 18, 3]]), 4) == 0.25


def test_a_generated_catalogue_is_skewed_and_trained_once(tmp_path: Path) -> None:
    counts = np.sort(np.diff(power_law(2000, people=1000).tocsc().indptr))[::-1]
    assert counts[:200].sum() > 0.25 * counts.sum()
    first = generated(2000, factors=4, iterations=1, cache=tmp_path)
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    assert (generated(2000, factors=4, iterations=1, cache=tmp_path).factors == first.factors).all()
    assert file.stat().st_mtime_ns == written


def test_searches_take_blocks_and_single_users() -> None:
    factors = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    users = factors[:5].copy()
    seen = power_law(500, people=5)
    expected = argpartition(factors, 20)(users, seen)
    assert expected is not None
    for search in (whyrec(factors, 20), peers(factors, 20)["implicit"]):
        rows = search(users, seen)
        assert rows is not None and (np.sort(rows) == np.sort(expected)).all()
        alone = search(users[:1], seen[:1])
        assert alone is not None and (np.sort(alone) == np.sort(expected[:1])).all()


def test_what_an_answer_takes_is_measured_on_the_people_of_the_build(tmp_path: Path) -> None:
    build = write_build(tmp_path, events=tastes())
    workspace = Workspace(tmp_path)
    folder = workspace.models.use(fit_artefact(workspace, build, SMALL, lambda *_: None))
    found = serving(workspace, folder, people=4)
    names = [figure.name.split(",")[0] for figure in found if figure.unit == "ms median"]
    assert names == ["history and items had", "10 candidates", "300 candidates", "explaining 10"]
    assert all(figure.value > 0 for figure in found)
