"""The worlds of the recall-quality bench, its metrics, and one small run of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from worlds import item, write_build

from evals.bench import recall_quality
from evals.bench.quality import judge
from evals.dealt import alone, deal_by_genre, undecayed, unlinked
from evals.fit.heldout import HeldOut, held_out
from evals.splits import hold_last
from recall.attributes import Tags, attributes
from recall.dataset import Dataset
from recall.workspace import Workspace


def ring(folder: Path) -> Path:
    """Sixty people who walk along a ring of twenty-four titles of four genres, on two platforms in turn."""
    rng = np.random.default_rng(1)
    lines = [
        f"u{u} {('cinema', 'stream')[step % 2]} t{(start + step) % 24} {100 * step + u}"
        for u, start in enumerate(rng.integers(0, 24, 60))
        for step in range(10)
    ]
    titles = [f"t{n} cinema,stream 2000 {'ABCD'[n % 4]},Z" for n in range(24)]
    return write_build(folder, events=lines, items=titles)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ring(tmp_path_factory.mktemp("ring"))


def test_undecayed_interactions_weigh_what_their_events_do_up_to_the_cap(tmp_path: Path) -> None:
    events = ["ann x one 1 like 2", "ann y one 2 like 2", "ann x two 3 like 1", "ann x two 4 dislike"]
    dataset = Dataset.load(write_build(tmp_path, events=events))
    dataset.matrix.data[:] = 0.01  # as if decayed long ago
    object.__setattr__(dataset, "cap", 3.0)
    row = undecayed(dataset).matrix.toarray()[0]
    assert {name: row[dataset.items.row(item(name))] for name in ("one", "two")} == {"one": 3.0, "two": 1.0}


def test_unlinked_listings_are_items_of_their_own_that_share_the_weight(tmp_path: Path) -> None:
    events = ["ann x one 1 like 3", "ann y one 2 like 1", "bob y two 3"]
    dataset = Dataset.load(write_build(tmp_path, events=events, items=["two x,y", "one x,y"]))
    split, rows = unlinked(dataset)
    assert len(split.items) == 4 and split.listed.sum(axis=0).tolist() == [1, 1, 1, 1]
    one = dataset.items.row(item("one"))
    ann = split.matrix.toarray()[0 if dataset.matrix.toarray()[0, one] else 1]
    assert (ann[rows[0, one]], ann[rows[1, one]]) == (3.0, 1.0)
    assert split.matrix.sum() == pytest.approx(dataset.matrix.sum())
    assert set(split.event_item.tolist()) == {
        *rows[:, one].tolist(),
        int(rows[1, dataset.items.row(item("two"))]),
    }


def test_a_platform_alone_has_only_its_own_events_and_listings(build: Path) -> None:
    dataset = Dataset.load(build)
    mine = alone(dataset, 1)
    assert (mine.event_platform == 1).all() and not mine.listed[0].any() and mine.listed[1].all()
    assert mine.matrix.nnz == len(mine.event_item) < dataset.matrix.nnz


def test_items_are_dealt_by_their_first_genre_in_about_equal_parts(build: Path) -> None:
    dataset = Dataset.load(build)
    dealt = deal_by_genre(dataset, Tags.open(attributes(build, dataset), "categories"))
    assert (dealt.listed.sum(axis=0) == 1).all()
    side = dealt.listed.argmax(axis=0)
    for genre in range(4):
        rows = [dataset.items.row(item(f"t{n}")) for n in range(genre, 24, 4)]
        assert len(set(side[rows].tolist())) == 1
    assert (dealt.event_platform == side[dealt.event_item]).all()
    assert 0.4 < (dealt.event_platform == 0).mean() < 0.6


def test_metrics_of_lists_with_several_targets(build: Path) -> None:
    dataset = Dataset.load(build)
    starts, targets = np.array([0, 2, 3, 4]), np.array([5, 7, 9, 1], np.int32)
    held = HeldOut(dataset, np.arange(3, dtype=np.int32), np.zeros(3, np.int8), starts, targets)
    lists = [np.array([7, 0, 5]), np.arange(24)[::-1], np.zeros(0, int)]
    found = judge(held, lambda case: lists[case])
    ideal = 1 + 1 / np.log2(3)
    assert found.ndcg == pytest.approx([(1 + 1 / np.log2(4)) / ideal, 0.0, 0.0])
    assert found.hit.tolist() == [1.0, 0.0, 0.0]
    assert found.covered[20].tolist() == [1.0, 1.0, 0.0]


def test_targets_come_from_the_platform_that_is_asked(build: Path) -> None:
    held = held_out(Dataset.load(build), hold_last(Dataset.load(build)))
    for case in range(5):
        query = held.query(case)
        assert query.allowed is not None and query.allowed[held.wanted(case)].all()
        assert not set(held.wanted(case).tolist()) & set(query.items.tolist())


def test_a_small_run_compares_every_method_on_every_split(tmp_path: Path) -> None:
    ring(tmp_path)
    notes: list[str] = []
    figures = recall_quality.run(
        quick=True, cache=tmp_path, workspace=Workspace(tmp_path), progress=notes.append
    )
    names = {figure.name.split(",")[0] for figure in figures}
    assert names == {"last liked item", "time split", "new to a platform", "fusing"}
    mine = {f.peer: f for f in figures if f.name.startswith("last liked item") and f.unit == "NDCG@10"}
    assert mine["blend"].value > 0.5 > mine["evergreen"].value, "in a ring there is one way on"
    over = next(f for f in figures if "blend over it" in f.name and f.peer == recall_quality.PLAIN)
    assert over.low is not None and over.low <= over.value <= (over.high or 0)
    fused = {f.peer: f.value for f in figures if f.name.startswith("fusing, blend") and f.unit == "NDCG@10"}
    assert fused["fused"] > fused["each platform alone"]
