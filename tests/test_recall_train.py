from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from worlds import item, write_build

from recall.errors import ArtefactError, DataError, NotFound
from recall.factorize import factorize, training_rows
from recall.recallers.als import Als
from recall.recallers.tuning import Tuning
from recall.topk import FactorIndex, top_k
from recall.train import train
from recall.train_config import TrainConfig
from recall.trainer import training_lock
from recall.workspace import Workspace

SMALL = TrainConfig(factors=8, iterations=5, regularization=0.1, alpha=8.0, threads=1, device="cpu")


def two_tastes(folder: Path) -> Path:
    """Thirty people who like even titles and thirty who like odd ones, each without some of them."""
    rng = np.random.default_rng(0)
    lines = [
        f"u{u} {'cinema' if title % 4 < 2 else 'stream'} t{title} {step}"
        for u in range(60)
        for step, title in enumerate(rng.permutation(np.arange(u % 2, 40, 2))[:12])
    ]
    return write_build(folder, events=lines, items=["new cinema"])


def test_it_trains_verifies_and_makes_current(tmp_path: Path) -> None:
    build = two_tastes(tmp_path)
    steps: list[tuple[str, int, int]] = []
    artefact = train(Workspace(tmp_path), SMALL, progress=lambda *step: steps.append(step))
    assert Workspace(tmp_path).models.current().name == artefact.name
    assert artefact.manifest.build == build.name
    assert artefact.manifest.config["seed"] == 0
    assert ("factorizing", 5, 5) in steps
    als = Als(artefact.arrays["als"], Tuning())
    even = artefact.items.rows([item(f"t{title}") for title in range(0, 40, 2)])
    nearest, _ = top_k(FactorIndex.of(artefact.arrays["als"]), als.factors(even)[0], 10)
    assert set(nearest.tolist()) <= set(even.tolist()), "even titles go with even titles"
    assert artefact.arrays["als"]["place"][artefact.items.row(item("new"))] == -1


def test_the_same_seed_gives_the_same_factors() -> None:
    matrix = csr_matrix((np.random.default_rng(0).random((30, 20)) < 0.3).astype(np.float32))
    again = [factorize(matrix, SMALL) for _ in range(2)]
    assert (again[0] == again[1]).all()
    assert not np.allclose(again[0], factorize(matrix, SMALL.model_copy(update={"seed": 1})))


def test_too_few_events_leave_people_and_items_out_of_the_training() -> None:
    matrix = csr_matrix(np.array([[1, 1, 0, 1], [1, 0, 0, 0], [1, 1, 0, 0]], np.float32))
    kept = training_rows(matrix, TrainConfig(min_item_people=2, min_person_items=2)).toarray()
    assert kept.tolist() == [[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]]
    config = SMALL.model_copy(update={"min_item_people": 2, "min_person_items": 2})
    assert factorize(matrix, config).any(axis=1).tolist() == [True, True, False, False]


def test_nothing_to_train_on_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    write_build(tmp_path, events=["ann cinema matrix 1 dislike"])
    with pytest.raises(DataError, match="min_item_people"):
        train(Workspace(tmp_path), SMALL)
    assert Workspace(tmp_path).models.names() == []


def test_without_a_build_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="whyrec ingest"):
        train(Workspace(tmp_path), SMALL)


def test_a_second_trainer_is_refused_while_one_is_at_work(tmp_path: Path) -> None:
    two_tastes(tmp_path)
    with (
        training_lock(Workspace(tmp_path).models, wait_for_it=False),
        pytest.raises(ArtefactError, match="another training"),
    ):
        train(Workspace(tmp_path), SMALL)
