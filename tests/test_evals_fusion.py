from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from evaluated import declared, oracle, settings
from worlds import item, write_build

from evals.config import CasesConfig
from evals.cut import write_cut
from evals.fusion import damaged, linked_listings, states, study
from evals.splits import hold_last
from evals.strata import draw
from recall.dataset import Dataset
from recall.errors import DataError
from recall.ids import item_id
from recall.workspace import Workspace

EVENTS = [
    f"p{who} {('cinema', 'shop')[step % 2]} film{(who + step) % 6} {100 * step}"
    for who in range(8)
    for step in range(4)
]


def test_only_items_on_several_platforms_are_damaged_and_each_gets_another() -> None:
    known = {(platform, f"f{n}"): f"i{n}" for platform in ("a", "b") for n in range(20)} | {("a", "x"): "own"}
    changed = damaged(known, 0.5, seed=1)
    assert 16 <= len(changed) <= 20 and ("a", "x") not in changed
    assert all(changed[key] != known[key] for key in changed)
    assert damaged(known, 0.0, seed=1) == {}


def test_every_state_is_named_and_the_platform_alone_comes_first(tmp_path: Path) -> None:
    build = write_build(tmp_path, events=EVENTS)
    named = [state.name for state in states(build, Dataset.load(build), "shop", seed=0)]
    assert named[:4] == ["shop alone", "all", "all, masks off", "all, items unlinked"]
    assert named[4:] == [f"all, {share} % of links wrong".replace(" %", "%") for share in (5, 10, 20, 50)]


def test_a_cut_to_one_platform_knows_nothing_of_the_other(tmp_path: Path) -> None:
    build = write_build(tmp_path, events=EVENTS)
    dataset = Dataset.load(build)
    held = hold_last(dataset)
    rest = {"moment": None, "half_life_days": 365.0, "cap": 5.0}
    one = write_cut(build, dataset, held, Workspace(tmp_path / "one"), platforms=frozenset({"shop"}), **rest)  # type: ignore[arg-type]
    alone = Dataset.load(one)
    assert alone.platforms == ("shop",) and len(alone.event_item) < held.keep.sum()
    loose = {key: item_id(*key) for key in linked_listings(build)}
    two = write_cut(build, dataset, held, Workspace(tmp_path / "two"), items=loose, **rest)  # type: ignore[arg-type]
    apart = Dataset.load(two)
    assert len(apart.event_item) == held.keep.sum()
    assert len(apart.items) == len(loose) > len(dataset.items)
    assert (apart.listed.sum(axis=0) == 1).all()


def test_a_cut_keeps_weights_as_the_merge_makes_them(tmp_path: Path) -> None:
    """Cut behind the last event, nothing changes but the moment at which decay is taken."""
    build = write_build(tmp_path, events=EVENTS)
    dataset = Dataset.load(build)
    held = hold_last(dataset)
    everything = type(held)(held.persons, held.events, np.ones(len(held.keep), bool), held.order)
    same = write_cut(
        build, dataset, everything, Workspace(tmp_path / "cut"), moment=None, half_life_days=1e9, cap=5
    )
    again = Dataset.load(same)
    assert (again.matrix != dataset.matrix).nnz == 0
    assert item("film0") in again.items.names(np.arange(len(again.items)))


def test_consent_groups_keep_their_share(tmp_path: Path) -> None:
    events = ["ann cinema one 1", "ann shop one 2", "ann cinema two 3", "ann shop three 9", "bob shop one 1"]
    build = write_build(tmp_path, events=events, groups={"ann": [["cinema"], ["shop"]]})
    dataset = Dataset.load(build)
    held = hold_last(dataset)
    cut = Dataset.load(
        write_cut(build, dataset, held, Workspace(tmp_path / "c"), moment=None, half_life_days=1e9, cap=5)
    )
    ann = cut.matrix[cut.row_person == 0] if cut.persons.names(np.array([0]))[0] in dataset.persons.names(
        held.persons
    ) else cut.matrix[cut.row_person == 1]  # fmt: skip
    target = cut.items.rows(dataset.items.names(dataset.event_item[held.events]))
    assert ann.shape[0] == 2 and ann[:, target].nnz == 0


def test_people_are_drawn_by_their_strata() -> None:
    strata = [("long", "1")] * 60 + [("short", "2")] * 30 + [("short", "1")] * 10
    drawn = draw(strata, 20, seed=0)
    assert [sum(strata[at] == kind for at in drawn) for kind in dict.fromkeys(strata)] == [12, 6, 2]
    assert (draw(strata, 20, seed=0) == drawn).all() and (draw(strata, 20, seed=1) != drawn).any()
    assert len(draw(strata, 1000, seed=0)) == 100


async def test_a_study_needs_a_second_platform(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="another platform"):
        await study(settings(whole, tmp_path), declared(arms=[]), "library")


@pytest.mark.long
async def test_a_study_compares_every_state_on_the_same_people(whole: Path, tmp_path: Path) -> None:
    cases = CasesConfig(split="last", people=30, candidates=8).model_dump()
    found = await study(
        settings(whole, tmp_path), declared(cases=cases), "shop", models={"default": oracle()}
    )
    rows = {row.state: row for row in found.rows}
    assert len(rows) == 8 and rows["shop alone"].difference is None
    assert all(0 < row.people <= 30 for row in found.rows)
    assert all(row.difference and row.difference.people > 5 for row in found.rows[1:])
    for row in found.rows:
        assert row.arms["model"].mean == row.arms["oracle"].mean >= row.arms["recall"].mean
