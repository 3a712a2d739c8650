"""Trees in the recall blend: they say what LightGBM says, they order the first and leave the rest alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from worlds import write_build

from evals.check import fit, history
from recall.dataset import Dataset
from recall.errors import ConfigError
from recall.explain import explain
from recall.mixture import Mixture
from recall.recallers import open_recallers
from recall.recallers.query import RowQuery
from recall.train_config import TrainConfig
from recall.trees import LIKED, NEW, TOP, TOTAL, Forest, Trees, grown, mixed, table
from recall.weights import FILE, Weights

SMALL = TrainConfig(factors=4, iterations=5, regularization=1.0, threads=1, device="cpu")


def against(feature: str, share: float) -> Trees:
    """One tree that puts what the feature says nothing of first."""
    return Trees(
        share=share,
        features=(feature,),
        feature=(0,),
        threshold=(0.0,),
        left=(-1,),
        right=(-2,),
        value=(1.0, 0.0),
        roots=(0,),
    )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    rng = np.random.default_rng(4)
    lines = [
        f"u{u} cinema t{title} {100 * u + step}"
        for u in range(40)
        for step, title in enumerate(rng.choice(400, 12, p=np.arange(400, 0, -1) / 80200, replace=False))
    ]
    titles = [f"t{n} cinema" for n in range(400)]
    return Dataset.load(write_build(tmp_path_factory.mktemp("many"), events=lines, items=titles))


def asked(dataset: Dataset, trees: Trees | None) -> tuple[Mixture, RowQuery]:
    weights = Weights(trees=trees)
    query = replace(history(dataset, 3), platform=0, allowed=dataset.listed[0], _kept={})
    return Mixture(open_recallers(fit(dataset, SMALL), weights.tuning), weights), query


def test_the_compiled_trees_say_what_lightgbm_predicts() -> None:
    import lightgbm

    rng = np.random.default_rng(0)
    rows = rng.random((1200, 6)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.4] = 0  # as sources that say nothing
    rows[:, 5] = 7.0
    label = (rows[:, 0] + rows[:, 1] * rows[:, 2] > rng.random(1200)).astype(int)
    settings = {"objective": "lambdarank", "num_leaves": 8, "verbosity": -1, "num_threads": 1, "seed": 1}
    data = lightgbm.Dataset(rows, label, group=[40] * 30)
    booster = lightgbm.train(settings, data, 60)
    names = ("a", "b", "c", "d", "e", "always the same")
    trees = grown(booster.dump_model(), names, 1.0)
    assert "always the same" not in trees.features, "what no node asks for is left out"
    fresh = rng.random((600, 6)).astype(np.float32)
    fresh[::3, :3] = 0
    kept = fresh[:, [names.index(name) for name in trees.features]]
    margins = Forest.of(Trees.model_validate_json(trees.model_dump_json())).margins(kept)
    np.testing.assert_allclose(margins, booster.predict(fresh), rtol=0, atol=1e-12)


def test_trees_order_the_first_and_leave_the_rest_below_them(dataset: Dataset) -> None:
    plain, query = asked(dataset, None)
    learned, again = asked(dataset, against("item-to-item", 1.0))
    before, _, own = plain.scores(query, 300)
    after, scores, _ = learned.scores(again, 300)
    assert sorted(before[:TOP]) == sorted(after[:TOP]) and before[TOP:].tolist() == after[TOP:].tolist()
    silent = dict(zip(before.tolist(), own["item-to-item"] <= 0, strict=True))
    told = [silent[row] for row in after[:TOP].tolist()]
    assert 0 < sum(told) < TOP and told == sorted(told, reverse=True)
    assert (np.diff(scores) <= 0).all()
    assert learned.scores(again, 10)[0].tolist() == after[:10].tolist(), "a short list begins the long one"


def test_the_score_of_given_rows_is_the_one_that_the_list_has(dataset: Dataset) -> None:
    mixture, query = asked(dataset, against("popular", 0.5))
    rows, scores, own = mixture.scores(query, 300)
    shuffled = np.random.default_rng(1).permutation(len(rows))
    found, theirs = mixture.of(query, rows[shuffled])
    np.testing.assert_allclose(found, scores[shuffled], rtol=1e-6)
    assert all((theirs[name] == own[name][shuffled]).all() for name in own)


def test_explanations_are_those_of_the_weighted_sum(dataset: Dataset) -> None:
    plain, query = asked(dataset, None)
    learned, again = asked(dataset, against("popular", 1.0))
    rows = plain.scores(query, 20)[0]
    events = [f"e{n}" for n in range(len(query.items))]
    assert explain(plain, query, rows, events) == explain(learned, again, rows, events)


def test_a_share_moves_the_order_part_of_the_way() -> None:
    total, margins = np.array([1.0, 0.6, 0.2], np.float32), np.array([0.0, 0.0, 5.0])
    assert mixed(total, margins, 0.25).argmax() == 0
    assert mixed(total, margins, 0.75).argmax() == 2
    assert mixed(total, margins, 0.75).min() >= total.min()


def test_flat_or_missing_scores_change_nothing() -> None:
    flat = np.full(4, 0.5, np.float32)
    assert (mixed(flat, np.arange(4.0), 1.0) == flat).all()
    rising = np.arange(4, dtype=np.float32)
    assert (mixed(rising, np.zeros(4), 1.0) == rising).all()
    assert len(mixed(flat[:0], np.zeros(0), 1.0)) == 0


def test_a_source_that_is_not_there_says_nothing() -> None:
    found = table(("content", TOTAL, LIKED, NEW), {}, np.ones(2, "f4"), np.zeros(2, "f4"), liked=3, new=True)
    assert found.tolist() == [[0, 1, 3, 1], [0, 1, 3, 1]]


@pytest.mark.parametrize(
    "damage",
    [
        {"left": [0]},
        {"right": [5]},
        {"left": [-9]},
        {"feature": [1]},
        {"roots": [1]},
        {"value": []},
        {"threshold": [0.1, 0.2]},
        {"threshold": [None]},
        {"share": 0},
        {"more": 1},
    ],
)
def test_damaged_trees_are_refused_with_the_remedy(tmp_path: Path, damage: dict[str, object]) -> None:
    path = Weights(trees=against("popular", 0.5)).save(tmp_path)
    assert Weights.load(tmp_path).trees == against("popular", 0.5)
    told = json.loads(path.read_text())
    told["trees"] |= damage
    path.write_text(json.dumps(told))
    with pytest.raises(ConfigError, match=rf"(?s){FILE} can't be used.*remove it"):
        Weights.load(tmp_path)


def test_trees_without_a_share_are_no_trees() -> None:
    with pytest.raises(ValidationError):
        against("popular", 0.0)
