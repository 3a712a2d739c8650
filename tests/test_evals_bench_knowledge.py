"""The knowledge bench: items hidden from everybody, what chance would find, and one small run of it."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from worlds import write_build

from evals.bench import knowledge
from recall.dataset import Dataset
from recall.workspace import Workspace


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ninety people of three tastes, which items' second categories name, on two platforms."""
    rng = np.random.default_rng(1)
    lines = [
        f"u{u} {('cinema', 'stream')[step % 2]} t{3 * n + u % 3} {100 * step + u}"
        for u in range(90)
        for step, n in enumerate(rng.permutation(40)[:8])
    ]
    titles = [f"t{n} cinema,stream 2000 {'AB'[n // 3 % 2]},{'DEF'[n % 3]}" for n in range(120)]
    return write_build(tmp_path_factory.mktemp("tastes"), events=lines, items=titles)


def test_hidden_items_are_in_nobodys_history_and_alone_on_offer(build: Path) -> None:
    dataset = Dataset.load(build)
    test = knowledge.hold_items(dataset, share=0.25, least=5, seed=3)
    offered = np.flatnonzero(test.train.listed.any(axis=0))
    liked = [np.unique(dataset.event_person[dataset.event_item == one]) for one in range(120)]
    assert len(offered) == round(0.25 * sum(len(people) >= 5 for people in liked)) and len(test.persons)
    assert not np.isin(test.train.event_item, offered).any()
    assert not test.train.matrix[:, offered].nnz
    for case in range(len(test.persons)):
        wanted = test.wanted(case)
        assert len(wanted) and np.isin(wanted, offered).all()
        mine = (dataset.event_person == test.persons[case]) & (dataset.event_platform == test.platforms[case])
        assert np.isin(wanted, dataset.event_item[mine]).all()


def test_chance_is_counted_over_all_draws(build: Path) -> None:
    test = knowledge.hold_items(Dataset.load(build), share=0.25, least=5, seed=3)
    wanted = len(test.wanted(0))
    query = test.query(0)
    assert query.allowed is not None
    offered = range(int(query.allowed.sum()))
    draws = list(combinations(offered, 4))
    assert len(draws) > 1000
    found = np.mean([any(item < wanted for item in draw) for draw in draws])
    assert knowledge.by_chance(test, 0, 4) == pytest.approx(found)


def test_the_bench_tells_every_part_in_every_world(build: Path) -> None:
    workspace = Workspace(build.parents[1])
    figures = knowledge.run(quick=True, cache=Path(), workspace=workspace, progress=lambda line: None)
    worlds = {figure.name.split(",")[0].split(":")[0] for figure in figures}
    assert worlds == {"new to a platform", "last liked item", "items that nobody had"}
    told = {figure.peer for figure in figures if figure.unit == "NDCG@10"}
    assert {*knowledge.PARTS, knowledge.PLAIN, knowledge.POPULAR, "content", "text-factors"} <= told
    alone = [figure for figure in figures if figure.peer == "chance"]
    assert len(alone) == 2 and all(figure.low is not None for figure in alone)
