"""Weights of the recall blend: what is held out, what is recorded, and what is found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from whole import whyrec
from worlds import person, write_build

from evals.check import fit
from evals.fit.heldout import held_newcomers, held_out, hold_newcomers, validation
from evals.fit.recall import by_hand, choose, fit_recall, share_of_time
from evals.fit.scored import Scored, gains, score
from evals.metrics import ndcg, places
from evals.splits import hold_last
from recall.dataset import Dataset
from recall.errors import DataError
from recall.mixture import Mixture
from recall.recallers import RECALLERS, open_recallers
from recall.recallers.tuning import Tuning
from recall.train_config import TrainConfig
from recall.weights import SEGMENTS, Weights, segment

SMALL = TrainConfig(factors=4, iterations=5, regularization=1.0, threads=1, device="cpu")


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Ninety people who walk along a ring of thirty titles, each from somewhere, on two platforms in turn."""
    rng = np.random.default_rng(1)
    lines = [
        f"u{u} {('cinema', 'stream')[step % 2]} t{(start + step) % 30} {1000 * u + step}"
        for u, start in enumerate(rng.integers(0, 30, 90))
        for step in range(9)
    ]
    titles = [f"t{n} cinema,stream" for n in range(30)]
    return Dataset.load(write_build(tmp_path_factory.mktemp("walks"), events=lines, items=titles))


def test_a_fit_keeps_what_is_perfect_and_says_where_it_comes_from(walks: Dataset) -> None:
    found = fit_recall(walks, SMALL, split="last")
    assert found.fit and found.fit.all.people == 90
    assert found.fit.all.ndcg > 0.9, "in a ring there is one way on"
    assert found.fit.segments["5-19"].gain == 0, "nothing was to be gained"
    assert set(found.segments) == set(SEGMENTS)
    assert Weights.model_validate_json(found.model_dump_json()) == found


def told(segments: list[str], knows: list[str]) -> Scored:
    """Two sources with ten items a question: of each segment one knows the target, the other draws lots."""
    rng = np.random.default_rng(2)
    count = len(segments)
    scores = rng.random((2, 10 * count)).astype(np.float32)
    targets = 10 * np.arange(count) + rng.integers(0, 10, count)
    for case, source in enumerate(knows):
        scores[("als", "transitions").index(source), targets[case]] = 1.0
    columns = (("als", {"recency": 4.0}), ("transitions", {"last_steps": 8, "step_decay": 0.7}))
    starts = 10 * np.arange(count + 1)
    nothing = {"liked": np.full(count, 5, np.int32), "common": np.zeros(10 * count, np.float32)}
    reached = np.ones(count, bool)
    return Scored(
        columns, scores, starts, targets, np.arange(count + 1), np.array(segments), reached=reached, **nothing
    )


def test_the_source_that_knows_gets_the_weight_whatever_it_was_by_hand() -> None:
    scored = told(["5-19"] * 200, ["transitions"] * 200)
    found = choose(scored, np.arange(200))
    assert found.default.weights["transitions"] > 0.8 > by_hand(scored).weights["transitions"]
    assert scored.ndcg_of(found.totals(scored), np.arange(200)).mean() > 0.95


def test_newcomers_get_weights_of_their_own_as_far_as_they_are_many() -> None:
    shares = {}
    for many in (20, 60, 600):
        segments, knows = ["5-19"] * 300 + ["5-19 new"] * many, ["als"] * 300 + ["transitions"] * many
        found = choose(told(segments, knows), np.arange(300 + many))
        assert found.segments["5-19"].weights["als"] > 0.7
        shares[many] = found.segments["5-19 new"].weights["transitions"]
    assert shares[20] < 0.3, "too few to fit on"
    assert shares[20] < shares[60] < shares[600] and shares[600] > 0.7


def test_nothing_of_a_newcomers_hidden_platform_is_learnt_from_or_shown(walks: Dataset) -> None:
    held = held_newcomers(walks, hold_newcomers(walks, share=0.5, seed=3))
    assert len(held.persons) == 45 and len(set(held.platforms.tolist())) == 2
    for case in range(len(held.persons)):
        who, where = held.persons[case], held.platforms[case]
        mine = held.train.event_person == who
        assert mine.any() and not (held.train.event_platform[mine] == where).any()
        query = held.query(case)
        assert not (query.platforms == where).any() and segment(query).endswith(" new")
        assert not set(held.wanted(case).tolist()) & set(query.items.tolist())
        row = held.train.matrix[who].indices
        assert not set(held.wanted(case).tolist()) & set(row.tolist())
    before = walks.event_person == held.persons[0]
    hidden = walks.event_item[before & (walks.event_platform == held.platforms[0])]
    assert set(held.wanted(0).tolist()) <= set(hidden.tolist())


def test_people_whose_platforms_do_not_serve_each_other_are_not_asked_about(tmp_path: Path) -> None:
    events = [f"{name} {p} {p}{n} {n}" for name in ("ann", "bob") for p in "xy" for n in range(5)]
    dataset = Dataset.load(write_build(tmp_path, events=events, groups={"ann": [["x"], ["y"]]}))
    bob = dataset.persons.row(person("bob"))
    assert held_out(dataset, hold_last(dataset)).persons.tolist() == [bob]
    assert hold_newcomers(dataset, share=1.0).persons.tolist() == [bob]


def test_a_time_split_asks_about_what_came_later_and_learns_from_what_came_before(walks: Dataset) -> None:
    moment = share_of_time(walks, 0.5)
    held = validation(walks, people=50, moment=moment, newcomers=0.0)
    assert len(held.persons) and (held.train.event_time < moment).all()


def recorded(walks: Dataset) -> tuple[Scored, Mixture, list[int]]:
    held = held_out(walks, hold_last(walks))
    arrays = fit(held.train, SMALL)
    scored = score(held, arrays)
    weights = Weights()
    sources = open_recallers(arrays, weights.tuning)
    mixture = Mixture(sources, weights)
    lists = np.full((len(held.persons), 10), -1, np.int32)
    for case in range(len(held.persons)):
        rows = mixture.scores(held.query(case), 10)[0]
        lists[case, : len(rows)] = rows
    return scored, mixture, ndcg(places(lists, held.targets), 10)  # type: ignore[return-value]


def test_recorded_scores_rank_as_the_blend_that_serves(walks: Dataset) -> None:
    scored, _, served = recorded(walks)
    assert scored.ndcg(by_hand(scored).of_columns()).mean() == pytest.approx(np.mean(served), abs=0.02)


def test_ndcg_of_several_targets_is_that_of_a_plain_sort() -> None:
    rng = np.random.default_rng(0)
    base, column = (rng.integers(0, 6, 60).astype(np.float32) for _ in range(2))
    starts, target_starts = np.array([0, 25, 60]), np.array([0, 3, 4])
    targets = np.array([2, 7, 24, 40])
    found = gains(
        base, column, np.array([0.0, 0.7], np.float32), np.arange(2), starts, targets, target_starts, 10
    )
    for step, weight in enumerate((0.0, 0.7)):
        total = base + np.float32(weight) * column
        for case in range(2):
            mine = np.arange(starts[case], starts[case + 1])
            order = mine[np.lexsort((mine, -total[mine]))][:10]
            wanted = targets[target_starts[case] : target_starts[case + 1]]
            gain = sum(1 / np.log2(place + 2) for place, at in enumerate(order) if at in wanted)
            ideal = sum(1 / np.log2(place + 2) for place in range(len(wanted)))
            assert found[step, case] == pytest.approx(gain / ideal)


def test_every_setting_of_the_defaults_is_among_those_tried(walks: Dataset) -> None:
    scored, _, _ = recorded(walks)
    settings = {}
    for column in by_hand(scored).columns.values():
        settings |= scored.columns[column][1]
    assert Tuning(**settings) == Tuning()
    assert set(by_hand(scored).columns) == set(RECALLERS)


def test_too_few_people_are_an_error_that_keeps_the_defaults(tmp_path: Path) -> None:
    dataset = Dataset.load(write_build(tmp_path, events=["ann x one 1", "ann x two 2", "bob x one 1"]))
    with pytest.raises(DataError, match="leave the defaults"):
        fit_recall(dataset, SMALL, split="last")


def test_the_command_writes_a_file_that_the_blend_reads(tmp_path: Path) -> None:
    lines = [f"u{u} cinema t{(u + step) % 12} {step}" for u in range(30) for step in range(4)]
    write_build(tmp_path, events=lines)
    config = tmp_path / "whyrec.toml"
    config.write_text('workspace = "."\n[train]\nfactors = 2\nthreads = 1\n')
    done = whyrec("fit", "recall", "--config", config, "--json")
    assert done.exit_code == 0, done.output
    told, found = json.loads(done.stdout), Weights.load(tmp_path / "weights")
    assert found.fit is not None and found.fit.all.people == 30
    assert told["default"] == found.default != Weights().default


def test_the_command_without_a_build_says_what_to_run(tmp_path: Path) -> None:
    config = tmp_path / "whyrec.toml"
    config.write_text('workspace = "workspace"\n')
    done = whyrec("fit", "recall", "--config", config)
    assert done.exit_code == 1 and "whyrec ingest" in done.stderr
