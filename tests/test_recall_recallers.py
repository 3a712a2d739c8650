"""Every recaller under one contract, on a small world with two tastes and others with a known answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from worlds import item, write_build

from evals.check import fit
from recall.dataset import Dataset
from recall.foldin import fold_in
from recall.recallers import RECALLERS, Recaller, open_recallers
from recall.recallers.als import Als
from recall.recallers.query import RowQuery
from recall.recallers.sequences import consented
from recall.recallers.tuning import Tuning
from recall.train_config import TrainConfig

WITHOUT_HISTORY = ("popular", "evergreen", "recent-on-platform")

SMALL = TrainConfig(factors=4, iterations=8, regularization=1.0, threads=1)


def tastes() -> list[str]:
    """Twenty people: half like the items a0 … a5, half b0 … b5, everyone all but one of them, in order."""
    events = []
    for number in range(20):
        side = "ab"[number % 2]
        platform = ("cinema", "stream")[number // 2 % 2]
        for place in range(6):
            if place != number // 2 % 6:
                events.append(f"u{number} {platform} {side}{place} {100 * number + place}")
    return events


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    genres = {"a": ("Noir", "Crime", "Drama"), "b": ("Comedy", "Family", "Drama")}
    items = [
        f"{side}{place} cinema,stream {1950 if side == 'a' else 1990} {','.join(kinds[place % 2 :])}"
        for side, kinds in genres.items()
        for place in range(6)
    ]
    return Dataset.load(write_build(tmp_path_factory.mktemp("tastes"), events=tastes(), items=items))


@pytest.fixture(scope="module")
def recallers(dataset: Dataset) -> dict[str, Recaller]:
    arrays = fit(dataset, SMALL)
    return open_recallers(arrays, Tuning())


def ask(dataset: Dataset, *names: str, **more: object) -> RowQuery:
    """Liked items, newest first, all at cinema."""
    items = dataset.items.rows([item(name) for name in names])
    count = len(items)
    given = {
        "items": items,
        "weights": np.ones(count, np.float32),
        "polarity": np.ones(count, np.int8),
        "times": np.arange(count, 0, -1).astype(np.int64),
        "platforms": np.zeros(count, np.int8),
    }
    return RowQuery(**(given | more))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", RECALLERS)
class TestContract:
    def test_best_first_distinct_and_at_most_n(self, name, recallers, dataset) -> None:
        for n in (0, 1, 3, 100):
            rows, scores = recallers[name].scores(ask(dataset, "a0", "a1"), n)
            assert len(rows) == len(scores) <= n and len(set(rows.tolist())) == len(rows)
            assert (np.diff(scores) <= 0).all() and np.isfinite(scores).all()

    def test_only_allowed_and_never_excluded(self, name, recallers, dataset) -> None:
        allowed = np.ones(len(dataset.items), bool)
        barred = dataset.items.rows([item("a2")])
        allowed[barred] = False
        exclude = np.sort(dataset.items.rows([item("a0"), item("a1"), item("b0")]))
        query = ask(dataset, "a0", "a1", exclude=exclude, allowed=allowed)
        rows, _ = recallers[name].scores(query, 100)
        assert len(rows) and not set(rows.tolist()) & {*exclude.tolist(), *barred.tolist()}

    def test_at_gives_the_scores_of_the_list(self, name, recallers, dataset) -> None:
        query = ask(dataset, "b1", "b3")
        rows, scores = recallers[name].scores(query, 5)
        assert recallers[name].at(query, rows) == pytest.approx(scores, rel=1e-3, abs=1e-5)

    def test_contributions_sum_to_the_score(self, name, recallers, dataset) -> None:
        query = ask(dataset, "b1", "b3", "a0", "b1")
        rows, _ = recallers[name].scores(query, 6)
        told = recallers[name].explain(query, rows)
        if told.events is None:
            assert (told.people > 0).all()
        else:
            assert told.events.sum(axis=1) == pytest.approx(recallers[name].at(query, rows), abs=1e-4)

    def test_an_empty_history_is_no_error(self, name, recallers, dataset) -> None:
        rows, _ = recallers[name].scores(ask(dataset), 5)
        assert len(rows) == (5 if name in WITHOUT_HISTORY else 0)
        assert recallers[name].at(ask(dataset), np.array([0, 1], np.int32)).shape == (2,)

    def test_dislikes_alone_propose_nothing_of_their_own(self, name, recallers, dataset) -> None:
        query = ask(dataset, "a0", weights=np.zeros(1, np.float32), polarity=-np.ones(1, np.int8))
        assert len(recallers[name].scores(query, 5)[0]) == (5 if name in WITHOUT_HISTORY else 0)


@pytest.mark.parametrize("name", ["als", "item-to-item", "transitions", "content", "text-factors"])
def test_one_taste_gets_its_own_items(name, recallers, dataset) -> None:
    query = ask(dataset, "a0", "a2")
    query = ask(dataset, "a0", "a2", exclude=np.sort(query.items))
    rows, _ = recallers[name].scores(query, 3)
    assert set(dataset.items.names(rows)) <= {item(f"a{i}") for i in range(6)}


def test_als_without_recency_folds_in_as_training_does(dataset) -> None:
    """Half-life and cap of the merge included: what training made of a row, folding in makes again."""
    day = 86_400
    decayed = replace(dataset, half_life_days=2.0, cap=1.5, reference_time=10 * day)
    arrays = fit(decayed, SMALL)["als"]
    plain = Als(arrays, Tuning(recency=0))
    query = ask(dataset, "a3", "a1", "a3", "a5", times=np.array([12, 6, 10, 10]) * day)
    weights = np.array([1.5, 2**-2, 1.0], np.float32)  # a3 twice and capped, one of them after the reference
    items, rows = query.items[[0, 1, 3]], np.arange(len(dataset.items), dtype=np.int32)
    factors = plain.factors(rows)
    user = fold_in(arrays["gram"], factors, items, SMALL.alpha * weights)
    assert plain.at(query, rows) == pytest.approx(factors @ user, abs=1e-5)
    told = plain.explain(query, rows).events
    assert told is not None and told.sum(axis=1) == pytest.approx(plain.at(query, rows), abs=1e-5)


def test_transitions_follow_the_order_across_platforms(tmp_path: Path) -> None:
    events = [f"u{i} {p} {name} {t}" for i in range(5) for p, name, t in (("x", "one", 1), ("y", "two", 2))]
    dataset = Dataset.load(write_build(tmp_path, events=events))
    recaller = RECALLERS["transitions"](RECALLERS["transitions"].fit(dataset), Tuning())  # type: ignore[attr-defined]
    assert dataset.items.names(recaller.scores(ask(dataset, "one"), 5)[0]) == [item("two")]
    assert len(recaller.scores(ask(dataset, "two"), 5)[0]) == 0


def test_sequences_never_join_platforms_that_do_not_consent(tmp_path: Path) -> None:
    events = ["ann x one 1", "ann y two 2", "ann z three 3", "bob x one 1", "bob y two 2"]
    groups = {"ann": [["x", "z"], ["y", "z"]]}
    dataset = Dataset.load(write_build(tmp_path, events=events, groups=groups))
    found = consented(dataset, likes_only=True)
    together = {
        frozenset(dataset.items.names(found.items[found.rows == row])) for row in set(found.rows.tolist())
    }
    one, two, three = item("one"), item("two"), item("three")
    assert together == {frozenset({one, three}), frozenset({two, three}), frozenset({one, two})}


def test_popularity_counts_people_once_and_fades_with_time(tmp_path: Path) -> None:
    events = [f"ann x often {t}" for t in range(9)] + [f"u{i} x old {i}" for i in range(3)]
    events += ["v x new 1000", "w x new 1001"]
    dataset = Dataset.load(write_build(tmp_path, events=events))
    arrays = RECALLERS["popular"].fit(dataset)  # type: ignore[attr-defined]
    ever = RECALLERS["popular"](arrays, Tuning(half_life=0)).scores(ask(dataset), 3)[0]
    lately = RECALLERS["popular"](arrays, Tuning(half_life=0.05)).scores(ask(dataset), 3)[0]
    assert dataset.items.names(ever) == [item("old"), item("new"), item("often")]
    assert dataset.items.names(lately)[0] == item("new")


def test_what_came_last_is_recent_and_what_nobody_dates_is_not(tmp_path: Path) -> None:
    day = 86_400
    events = [f"ann x old {0}", f"bob x mid {80 * day}", f"bob y mid {60 * day}", f"cid x late {100 * day}"]
    dataset = Dataset.load(write_build(tmp_path, events=events, items=["never x", "later x"]))
    later = dataset.items.row(item("later"))
    dataset.listed_from[0, later] = 99 * day
    arrays = RECALLERS["recent-on-platform"].fit(dataset)  # type: ignore[attr-defined]
    recent = RECALLERS["recent-on-platform"](arrays, Tuning(new_days=10))
    rows, scores = recent.scores(ask(dataset, platform=0), 5)
    assert dataset.items.names(rows) == [item("late"), item("later"), item("mid")]
    assert scores == pytest.approx([1.0, 2**-0.1, 2**-2])
    assert dataset.items.names(recent.scores(ask(dataset, platform=1), 5)[0]) == [item("mid")]
    assert recent.explain(ask(dataset, platform=0), rows).people.tolist() == [1, 0, 1]
