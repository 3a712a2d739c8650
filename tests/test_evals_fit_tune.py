from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from worlds import write_build

from evals.fit.tune import HALF_LIVES, TRIALS, Trial, tune
from recall.dataset import Dataset
from recall.errors import DataError
from recall.train_config import TrainConfig
from recall.weights import Weights

BAD = TrainConfig(factors=1, regularization=1000.0, alpha=0.01, iterations=3, threads=1, device="cpu")
"""A setting that any other beats."""


@pytest.fixture(scope="module")
def tastes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Five tastes of twenty titles each, eighty people who liked twelve of theirs."""
    rng = np.random.default_rng(0)
    lines = [
        f"u{u} cinema t{u % 5}_{title} {step}"
        for u in range(80)
        for step, title in enumerate(rng.permutation(20)[:12])
    ]
    return Dataset.load(write_build(tmp_path_factory.mktemp("tune"), events=lines))


def test_a_better_setting_than_the_given_one_is_found_within_the_time(tastes: Dataset) -> None:
    seen: list[Trial] = []
    found = tune(tastes, BAD, seconds=4.0, progress=seen.append)
    assert len(found.trials) == len(seen) > len(HALF_LIVES)
    best, given = found.trials[0], max(trial.ndcg for trial in seen[: len(HALF_LIVES)])
    assert best.ndcg > given
    assert (found.config.factors, found.config.alpha) == (best.factors, best.alpha)
    assert found.config.iterations == BAD.iterations
    assert best.low <= best.ndcg <= best.high
    assert sum(trial.seconds for trial in seen[:: len(HALF_LIVES)]) < 8.0


def test_without_time_the_given_setting_is_the_only_trial(tastes: Dataset) -> None:
    found = tune(tastes, BAD, seconds=0.0)
    assert {trial.factors for trial in found.trials} == {1}
    assert found.config == BAD


def test_at_most_so_many_people_are_asked(tastes: Dataset) -> None:
    assert tune(tastes, BAD, seconds=0.0, people=7).people == 7


def test_the_table_of_trials_is_kept_and_the_half_life_takes_effect(tastes: Dataset, tmp_path: Path) -> None:
    (tmp_path / "recall.json").write_text('{"segments": {"0": {"popular": 2.0}}}')
    found = tune(tastes, BAD, seconds=0.0)
    found.save(tmp_path)
    table = json.loads((tmp_path / TRIALS).read_text())
    assert len(table["trials"]) == len(HALF_LIVES) and table["people"] == 80
    weights = Weights.load(tmp_path)
    assert weights.tuning.recency == found.half_life
    assert weights.segments == {"0": {"popular": 2.0}}


def test_nothing_to_hold_out_is_an_error(tmp_path: Path) -> None:
    data = Dataset.load(write_build(tmp_path, events=["ann cinema matrix 1"]))
    with pytest.raises(DataError, match="nothing to tune"):
        tune(data, BAD, seconds=1.0)
