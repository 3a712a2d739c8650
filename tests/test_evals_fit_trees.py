"""What fitting makes of content and of trees: used where they help, left alone where they do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from worlds import write_build

from evals.bench.quality import of_blend
from evals.check import fit
from evals.fit.heldout import HeldOut, held_newcomers, hold_newcomers, validation
from evals.fit.recall import fit_recall, fit_scored
from evals.fit.scored import Scored, score
from evals.intervals import bootstrap
from recall.dataset import Dataset
from recall.mixture import Mixture
from recall.recallers import open_recallers
from recall.train_config import TrainConfig
from recall.trees import NEW
from recall.weights import Weights

SMALL = TrainConfig(factors=8, iterations=5, regularization=1.0, threads=1, device="cpu")
TASTES = 12


def two_shops(folder: Path, *, told: bool) -> Dataset:
    """People of one taste in twelve; films of it on one platform and books on the other, which share no item.

    Where an item's category is its taste (`told`) no two people read the same book, so that nothing but the
    category leads there; where it is one drawn at random, many do.
    """
    rng = np.random.default_rng(5)
    people, films, books = 240, 20, 3 * 240 // TASTES if told else 20
    items, events = [], []
    for platform, title, count in (("cinema", "film", films), ("books", "book", books)):
        for n in range(count * TASTES):
            taste = n % TASTES if told else rng.integers(TASTES)
            items.append(f"{title}{n} {platform} 2000 taste{'abcdefghijkl'[taste]}")
    for who in range(people):
        taste, number = who % TASTES, who // TASTES
        read = 3 * number + np.arange(3) if told else rng.permutation(books)[:3]
        for step, n in enumerate(rng.permutation(films)[:5]):
            events.append(f"u{who} cinema film{n * TASTES + taste} {100 * who + step}")
        for step, n in enumerate(read):
            events.append(f"u{who} books book{n * TASTES + taste} {100 * who + 50 + step}")
    return Dataset.load(write_build(folder, events=events, items=items))


def blended(test: HeldOut, weights: Weights) -> np.ndarray:
    sources = open_recallers(fit(test.train, SMALL), weights.tuning)
    return of_blend(test, Mixture(sources, weights)).ndcg


def newcomers(dataset: Dataset) -> HeldOut:
    return held_newcomers(dataset, hold_newcomers(dataset, share=0.3, seed=3))


def test_words_that_carry_the_taste_across_platforms_get_weight_and_find_what_newcomers_like(
    tmp_path: Path,
) -> None:
    test = newcomers(two_shops(tmp_path, told=True))
    fitted = fit_recall(test.train, SMALL, split="last", seed=3)
    without = fitted.model_copy(
        update={
            "trees": None,
            "default": _without(fitted.default),
            "segments": {name: _without(mine) for name, mine in fitted.segments.items()},
        }
    )
    mine = fitted.segments["5-19 new"]
    assert mine["content"] + mine["text-factors"] > 0
    gain = bootstrap(blended(test, fitted) - blended(test, without))
    assert gain.low > 0.05


def test_words_that_say_nothing_do_no_harm(tmp_path: Path) -> None:
    test = newcomers(two_shops(tmp_path, told=False))
    held = validation(test.train, people=3000, seed=3)
    scored = score(held, fit(held.train, SMALL))
    every = fit_scored(scored, held, SMALL, split="last", seed=3)
    bare = fit_scored(scored.without("content", "text-factors"), held, SMALL, split="last", seed=3)
    ours, theirs = blended(test, every), blended(test, bare)
    assert theirs.mean() > 0.1, "what other people read leads there"
    loss = bootstrap(ours - theirs)
    assert loss.high > 0 or loss.mean > -0.01
    assert every.segments["5-19 new"]["content"] < 0.3


POOL = 40


def either_or(count: int, *, rule: bool) -> Scored:
    """Forty items a question. With a rule the target is the one with both sources' middling word, where a sum
    prefers those that one source shouts about; without it is drawn."""
    rng = np.random.default_rng(6)
    scores = (rng.random((2, POOL * count)) * 0.2).astype(np.float32)
    targets = POOL * np.arange(count) + rng.integers(0, POOL, count)
    for case in range(count):
        pool = POOL * case + np.arange(POOL)
        loud = rng.permutation(pool[pool != targets[case]])
        scores[0, loud[:4]], scores[1, loud[4:8]] = 1.0, 1.0
        if rule:
            scores[:, targets[case]] = 0.5
    return Scored(
        columns=(("als", {"recency": 4.0}), ("transitions", {"last_steps": 8, "step_decay": 0.7})),
        scores=scores,
        starts=POOL * np.arange(count + 1),
        targets=targets,
        target_starts=np.arange(count + 1),
        segments=np.array(["5-19"] * count),
        liked=np.full(count, 6, np.int32),
        common=np.zeros(POOL * count, np.float32),
        reached=np.ones(count, bool),
    )


def fitted(scored: Scored, dataset: Dataset) -> Weights:
    nobody = np.zeros(0, np.int32)
    held = HeldOut(dataset, nobody, nobody.astype(np.int8), np.zeros(1, np.int64), nobody)
    return fit_scored(scored, held, SMALL, split="told", seed=1)


@pytest.fixture(scope="module")
def any_dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset.load(write_build(tmp_path_factory.mktemp("any"), events=["ann cinema alien 1"]))


def test_trees_earn_a_share_where_no_sum_of_sources_can_say_it(any_dataset: Dataset) -> None:
    found = fitted(either_or(600, rule=True), any_dataset)
    assert found.trees is not None and found.trees.share > 0 and NEW not in found.trees.features
    assert found.fit is not None and found.fit.trees is not None and found.fit.trees.low > 0.1
    assert Weights.model_validate_json(found.model_dump_json()) == found


def test_trees_that_only_learnt_by_heart_get_none(any_dataset: Dataset) -> None:
    found = fitted(either_or(600, rule=False), any_dataset)
    assert found.trees is None
    assert found.fit is not None and found.fit.trees is not None and found.fit.trees.low <= 0


def test_few_people_grow_no_trees(any_dataset: Dataset) -> None:
    found = fitted(either_or(60, rule=True), any_dataset)
    assert found.trees is None and found.fit is not None and found.fit.trees is None


def test_the_same_seed_grows_the_same_trees(any_dataset: Dataset) -> None:
    scored = either_or(300, rule=True)
    assert fitted(scored, any_dataset) == fitted(scored, any_dataset)


def _without(weights: dict[str, float]) -> dict[str, float]:
    return {name: 0.0 if name in ("content", "text-factors") else mine for name, mine in weights.items()}
