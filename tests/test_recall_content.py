"""Items that nobody touched are reached by what their text says, across platforms that share nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from worlds import item, person, write_build

from evals.check import fit, history
from evals.dealt import unlinked
from recall.candidates import Candidates
from recall.content.snapshot import FACTS, HASHES, ITEMS, MANIFEST, SCHEMA, VECTORS, Snapshot, hash_of
from recall.content.space import fit_made, fit_space
from recall.content.texts import asked_for, bag
from recall.content.words import words
from recall.dataset import Dataset
from recall.errors import DataError
from recall.recall_config import RecallConfig
from recall.recallers import open_recallers
from recall.recallers.content import Content
from recall.recallers.query import RowQuery
from recall.recallers.tuning import Tuning
from recall.train import train
from recall.train_config import TrainConfig
from recall.types import Event, History, Query
from recall.workspace import Workspace

SMALL = TrainConfig(factors=4, iterations=8, regularization=1.0, threads=1)


def disjoint() -> tuple[list[str], list[str]]:
    """Two platforms without a common item: half the people like noir on both, half comedy. Of each genre the
    fifth book is one that nobody had yet; "blank" has no words that another item has."""
    items, events = ["blank books"], []
    for genre in ("Noir", "Comedy"):
        items += [
            f"{genre[0]}film{n} cinema 1990 {genre},{'Crime' if genre == 'Noir' else 'Family'}"
            for n in range(4)
        ]
        items += [f"{genre[0]}book{n} books 2000 {genre}" for n in range(5)]
    for who in range(16):
        side = "NC"[who % 2]
        for n in range(4):
            if n != who // 2 % 4:
                events.append(f"u{who} cinema {side}film{n} {100 * who + n}")
                events.append(f"u{who} books {side}book{n} {100 * who + n + 50}")
    events.append("new cinema Nfilm0 1")
    events.append("new cinema Nfilm1 2")
    return items, events


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    items, events = disjoint()
    return write_build(tmp_path_factory.mktemp("disjoint"), events=events, items=items)


@pytest.fixture(scope="module")
def dataset(build: Path) -> Dataset:
    return Dataset.load(build)


def on_books(dataset: Dataset, name: str = "new") -> RowQuery:
    asked = history(dataset, dataset.persons.row(person(name)))
    platform = dataset.platforms.index("books")
    return replace(asked, platform=platform, allowed=dataset.listed[platform], _kept={})


@pytest.mark.parametrize("source", ["content", "text-factors"])
def test_somebody_known_elsewhere_gets_items_of_his_taste_those_nobody_had_included(
    dataset: Dataset, source: str
) -> None:
    recaller = open_recallers(fit(dataset, SMALL), Tuning())[source]
    rows, _ = recaller.scores(on_books(dataset), 5)
    assert set(dataset.items.names(rows)) == {item(f"Nbook{n}") for n in range(5)}
    assert not dataset.matrix[:, dataset.items.row(item("Nbook4"))].nnz


def test_an_item_without_words_in_common_is_never_proposed(dataset: Dataset) -> None:
    sources = open_recallers(fit(dataset, SMALL), Tuning())
    for name in ("content", "text-factors"):
        assert dataset.items.row(item("blank")) not in sources[name].scores(on_books(dataset), 100)[0]


def test_what_was_disliked_counts_against_what_is_like_it(dataset: Dataset) -> None:
    arrays = Content.fit(dataset)
    liked, other = dataset.items.rows([item("Nfilm0"), item("Nbook0")])
    query = RowQuery(
        items=np.array([liked, other], np.int32),
        weights=np.array([1, 0], np.float32),
        polarity=np.array([1, -1], np.int8),
        times=np.array([2, 1]),
        platforms=np.zeros(2, np.int8),
    )
    alike = dataset.items.rows([item("Nbook1")])
    ignoring, minding = (Content(arrays, Tuning(content_dislike=d)) for d in (0.0, 1.0))
    assert minding.at(query, alike)[0] < ignoring.at(query, alike)[0]
    told = minding.explain(query, alike).events
    assert told is not None and told.sum() == pytest.approx(minding.at(query, alike)[0], abs=1e-5)
    assert told[0, 1] < 0


def test_the_vectors_are_the_same_for_one_seed_whatever_the_threads(dataset: Dataset) -> None:
    from threadpoolctl import threadpool_limits

    assert dataset.texts is not None
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(Content.fit(dataset, seed=3))
    assert all(np.array_equal(found[0][name], found[1][name]) for name in found[0])


def test_every_listing_of_its_own_keeps_its_items_text(dataset: Dataset) -> None:
    apart, rows = unlinked(dataset)
    whole, parted = Content(Content.fit(dataset), Tuning()), Content(Content.fit(apart), Tuning())
    for platform, of in enumerate(rows):
        there = np.flatnonzero(of >= 0)
        assert len(there)
        assert np.allclose(parted.vectors(of[there]), whole.vectors(there)), platform


def test_words_are_cut_alike_in_every_script() -> None:
    assert words("Amélie – Le Fabuleux") == ["amelie", "le", "fabuleux"]
    assert words("千と千尋 (2001)") == ["千と", "と千", "千尋", "2001"]
    assert words("I, Robot") == ["robot"]
    assert words("") == [] and words("\ud800 ok") == ["ok"]
    film = bag({"title": "Alien", "categories": ["Science Fiction"]})
    assert set(asked_for("science fiction")) <= set(film)


def test_texts_without_words_in_common_make_no_space() -> None:
    for bags in ([], [{}], [{"one": 1.0}, {"two": 1.0}]):
        space, vectors = fit_space(bags)
        assert vectors.shape == (len(bags), 0) and space.project([{"one": 1.0}]).shape == (1, 0)


# -- a stated interest ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recall(build: Path) -> Candidates:
    workspace = Workspace(build.parent.parent)
    return Candidates.open(train(workspace, SMALL), RecallConfig(), workspace.weights)


def test_somebody_without_a_history_gets_what_he_asks_for_and_is_told_so(recall: Candidates) -> None:
    query = Query(History(None), platform="books", n=5, interest="a comedy please")
    found = [one.item for one in recall.candidates(query).candidates]
    assert set(found) == {item(f"Cbook{n}") for n in range(5)}
    assert {because.source for because in recall.explain(query, found)} == {"interest"}
    unknown = Query(History(None), platform="books", n=5, interest="zzz")
    asked_nothing = Query(History(None), platform="books", n=5)
    assert [one.item for one in recall.candidates(unknown).candidates] == [
        one.item for one in recall.candidates(asked_nothing).candidates
    ]


def test_an_interest_changes_nothing_for_somebody_with_a_history(recall: Candidates) -> None:
    liked = History(None, (Event("e1", "cinema", item("Nfilm0"), "seen", 5),))
    plain = recall.candidates(Query(liked, platform="books"))
    assert recall.candidates(Query(liked, platform="books", interest="comedy")).candidates == plain.candidates


def test_items_like_one_that_nobody_had_are_those_with_the_closest_text(recall: Candidates) -> None:
    found = [name for name, _ in recall.similar(item("Nbook4"), platform="books", n=4)]
    assert set(found) == {item(f"Nbook{n}") for n in range(4)}
    assert recall.similar(item("blank")) == []


# -- snapshots of knowledge -------------------------------------------------------------------------------


def write_snapshot(
    folder: Path,
    facts: list[tuple[str, str, str, float]],
    vectors: Mapping[str, Sequence[float]] | None = None,
) -> Path:
    knowledge = Workspace(folder).knowledge
    with knowledge.new("facts") as part:
        rows = [dict(zip(SCHEMA.names, (*one, False), strict=True)) for one in sorted(facts)]
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), part / FACTS)
        if vectors is not None:
            ids = sorted(vectors)
            np.save(part / ITEMS, np.array([id.encode() for id in ids]))
            np.save(part / VECTORS, np.array([vectors[id] for id in ids], np.float32))
            np.save(part / HASHES, np.zeros((len(ids), 32), np.uint8))
        files = {path.name: hash_of(path) for path in part.iterdir()}
        (part / MANIFEST).write_text(json.dumps({"files": files, "source": {"embedder": "here e5"}}))
    return knowledge.use(part.stem)


def plain_world(folder: Path) -> Path:
    names = ("one", "two", "three", "four")
    return write_build(
        folder, events=[f"ann x {name} 1" for name in names[:1]], items=[f"{n} x" for n in names]
    )


def test_facts_bring_items_together_whose_own_words_do_not(tmp_path: Path) -> None:
    build = plain_world(tmp_path)
    alone = Content(Content.fit(Dataset.load(build)), Tuning())
    facts = [(item("one"), "mood", "slow burn", 0.9), (item("three"), "mood", "slow burn", 0.9)]
    facts += [(item("two"), "mood", "frantic", 0.9), (item("four"), "mood", "frantic", 0.6)]
    write_snapshot(tmp_path, facts)
    dataset = Dataset.load(build)
    told = Content(Content.fit(dataset), Tuning())
    query = history(dataset, 0)
    rows = dataset.items.rows([item("three"), item("four"), item("one")])
    assert told.facts_in_common(query, rows).tolist() == [1, 0, 1]
    apart, of = unlinked(dataset)
    again = Content(Content.fit(apart), Tuning())
    assert again.facts_in_common(history(apart, 0), of[0][rows]).tolist() == [1, 0, 1]
    assert len(alone.scores(query, 5)[0]) == 0
    assert dataset.items.names(told.scores(query, 1)[0]) == [item("three")]


def test_an_embedders_vectors_count_instead_of_words_and_an_interest_comes_as_one(tmp_path: Path) -> None:
    build = plain_world(tmp_path)
    vectors = {item("one"): [1, 0, 0.2], item("three"): [0.9, 0.1, 0.2], item("two"): [0, 1, 0.2]}
    vectors[item("gone")] = [1, 1, 1]
    write_snapshot(tmp_path, [], vectors)
    dataset = Dataset.load(build)
    content = Content(Content.fit(dataset), Tuning())
    assert content.embedder == "here e5"
    assert dataset.items.names(content.scores(history(dataset, 0), 1)[0]) == [item("three")]
    empty = np.zeros(0, np.int32)
    given = {"items": empty, "weights": empty.astype("f4"), "polarity": empty.astype("i1")}
    rest = {"times": empty.astype(np.int64), "platforms": empty.astype("i1")}
    wish = RowQuery(**given, **rest, interest=(0.0, 2.0, 0.4))
    assert dataset.items.names(content.scores(wish, 1)[0]) == [item("two")]
    for useless in ((1.0, 2.0), (float("nan"),) * 3, "two"):
        assert len(content.scores(RowQuery(**given, **rest, interest=useless), 1)[0]) == 0


def test_a_damaged_snapshot_is_refused_with_the_remedy(tmp_path: Path) -> None:
    folder = write_snapshot(tmp_path, [(item("one"), "mood", "dark", 0.9)])
    assert Snapshot.open(folder).of([item("zero"), item("one")]) == [
        (),
        (("mood", "dark", pytest.approx(0.9)),),
    ]
    (folder / FACTS).write_bytes((folder / FACTS).read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"is not what was written.*whyrec train"):
        Snapshot.open(folder)


def test_made_vectors_that_are_not_finite_are_no_vectors() -> None:
    made = np.array([[1, 2, 3], [np.inf, 0, 0], [0, 0, 0], [3, 2, 1]], np.float32)
    _, vectors = fit_made(made, "e")
    assert vectors.any(axis=1).tolist() == [True, False, False, True]


def test_new_listings_that_are_explored_suit_the_taste_by_their_text(tmp_path: Path) -> None:
    items, events = disjoint()
    fresh = {f"fresh{genre}{n}": genre for genre in ("Noir", "Comedy") for n in range(20)}
    items += [f"{name} books 2000 {genre}" for name, genre in fresh.items()]
    events += [f"first{name} books {name} {400 * 86_400}" for name in fresh]
    write_build(tmp_path, events=events, items=items)
    artefact = train(Workspace(tmp_path), SMALL)
    mine = tuple(Event(f"e{n}", "cinema", item(f"Nfilm{n}"), "seen", n + 1) for n in range(3))
    recall = Candidates(artefact, RecallConfig(explore=0.5))
    known = {item(name): genre for name, genre in fresh.items()}
    found = [
        known[one.item]
        for day in range(20)
        for one in recall.candidates(
            Query(History(person("new"), mine), "books", as_of=(401 + day) * 86_400, n=8)
        ).candidates
        if one.item in known and one.sources["popular"] < 1
    ]
    assert len(found) > 20 and found.count("Noir") > 0.9 * len(found)
