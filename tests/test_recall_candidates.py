"""Candidates from a trained artefact: masks, rules, fill, explanations, and calls of any kind."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from test_recall_recallers import SMALL, tastes
from worlds import item, person, write_build

from recall.artefact import Artefact
from recall.candidates import Candidates
from recall.recall_config import RecallConfig
from recall.trainer import fit_artefact
from recall.types import Event, Filters, History, Query
from recall.workspace import Workspace


def artefact(folder: Path, events: list[str], items: list[str] = ()) -> Artefact:  # type: ignore[assignment]
    build = write_build(folder, events=events, items=items)
    workspace = Workspace(folder)
    name = fit_artefact(workspace, build, SMALL, lambda *_: None)
    return Artefact.open(workspace.models.use(name))


ITEMS = ["new stream 2001 Drama", "a1 cinema 1999 Action", "b1 cinema,shop 1998 Action,Drama"]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return artefact(tmp_path_factory.mktemp("candidates"), tastes(), ITEMS)


@pytest.fixture(scope="module")
def recall(opened: Artefact) -> Candidates:
    return Candidates(opened)


def history(*names: str, platform: str = "cinema", polarity: int = 1) -> History:
    events = [
        Event(
            f"e{at}", platform, item(name), "seen", 100 - at, weight=1.0 * (polarity > 0), polarity=polarity
        )
        for at, name in enumerate(names)
    ]
    return History(person("ann"), tuple(events))


def ids(recall: Candidates, query: Query) -> list[str]:
    found = recall.candidates(query).candidates
    assert [c.rank for c in found] == list(range(len(found)))
    return [c.item for c in found]


def test_what_the_person_had_anywhere_is_not_proposed(recall: Candidates) -> None:
    found = ids(recall, Query(history("a0", platform="stream"), "cinema", had=frozenset({item("a2")})))
    assert found and not {item("a0"), item("a2")} & set(found)


def test_repeats_come_only_where_they_are_allowed(recall: Candidates) -> None:
    assert item("a0") in ids(recall, Query(history("a0", "a1"), filters=Filters(repeats=True)))


def test_only_what_the_asking_platform_lists(recall: Candidates) -> None:
    assert ids(recall, Query(History(None), "shop")) == [item("b1")]
    assert ids(recall, Query(History(None), "nowhere")) == []


def test_n_beyond_the_catalogue_gives_all_of_it_once(recall: Candidates) -> None:
    found = ids(recall, Query(history("a0"), n=10_000))
    assert len(found) == len(set(found)) == 12


def test_without_a_history_the_popular_come_first(tmp_path: Path) -> None:
    events = [
        f"u{n} cinema {name} {n}" for name, count in (("b", 1), ("a", 4), ("c", 9)) for n in range(count)
    ]
    recall = Candidates(artefact(tmp_path, events))
    assert ids(recall, Query(History(None))) == [item("c"), item("a"), item("b")]


def test_each_rule_tells_how_many_it_removed(opened: Artefact) -> None:
    recall = Candidates(opened, RecallConfig(block=frozenset({item("a5")})))
    filters = Filters(categories_out=frozenset({"drama"}), exclude=frozenset({item("b2")}))
    answer = recall.candidates(Query(history("a0"), filters=filters))
    assert answer.removed == {"blocked": 1, "categories_out": 2, "had": 1, "exclude": 1}
    assert len(answer.candidates) == 13 - 5


def test_categories_in_keeps_only_those(recall: Candidates) -> None:
    filters = Filters(categories_in=frozenset({"Action"}))
    assert set(ids(recall, Query(History(None), filters=filters))) == {item("a1"), item("b1")}


def test_at_most_so_many_of_a_category(opened: Artefact) -> None:
    recall = Candidates(opened, RecallConfig(max_per_category=1))
    found = recall.candidates(Query(history("b0")))
    assert len({item("a1"), item("b1")} & {c.item for c in found.candidates}) == 1
    assert found.removed["max_per_category"] >= 1


def test_a_reason_names_the_events_that_carry_it(recall: Candidates) -> None:
    query = Query(history("b0", "b2", "a0"))
    because = recall.explain(query, [item("b4")])[0]
    assert because.source != "popular" and {e for e, _ in because.events[:2]} == {"e0", "e1"}
    assert [share for _, share in because.events] == sorted((s for _, s in because.events), reverse=True)


def test_without_a_history_the_reason_is_how_many_had_it(recall: Candidates) -> None:
    because = recall.explain(Query(History(None), "cinema"), [item("a1"), "unknown"])
    assert because[0].source == "popular" and because[0].popularity and not because[0].events
    assert because[1].source == "popular" and because[1].popularity is None


def test_ten_thousand_calls_of_any_kind_never_repeat_or_break_a_rule(opened: Artefact) -> None:
    recall, draw = Candidates(opened), random.Random(7)
    names = [item(f"{side}{n}") for side in "ab" for n in range(6)] + ["", "i\udcff", "x" * 300]
    numbers = (0.0, 1.0, -3.0, 1e30, float("nan"), float("inf"))
    for _ in range(10_000):
        events = tuple(
            Event("e", draw.choice(("cinema", "?")), draw.choice(names), "seen", draw.randint(-9, 9), None,
                  draw.choice(numbers), draw.choice((-1, 0, 1)), draw.choice(numbers))
            for _ in range(draw.randint(0, 6))
        )  # fmt: skip
        had = frozenset(draw.sample(names, 2))
        shut = frozenset(draw.sample(names, 2))
        platform = draw.choice((None, "cinema", "stream", "shop", "?"))
        n = draw.choice((-1, 0, 1, 5, 12, 1000))
        query = Query(History(None, events), platform, 50, n, Filters(exclude=shut), had)
        answer = recall.candidates(query)
        found = [c.item for c in answer.candidates]
        assert len(found) == len(set(found)) <= max(n, 0)
        assert not set(found) & (had | shut | {event.item for event in events})
        assert all(np.isfinite(c.score) for c in answer.candidates)
