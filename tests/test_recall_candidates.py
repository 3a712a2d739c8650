"""Candidates from a trained artefact: masks, rules, fill, explanations, and calls of any kind."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
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
    """Unlimited lists are also complete: all that is listed and allowed, once."""
    draw = random.Random(7)
    variants = [
        Candidates(opened),
        Candidates(opened, RecallConfig(diversity=0.5, explore=0.4)),
        Candidates(opened, RecallConfig(max_per_category=1, block=frozenset({item("b5"), "no such"}))),
    ]
    listed = {
        name: set(opened.items.names(np.flatnonzero(opened.listed[row])))
        for row, name in enumerate(opened.platforms)
    }
    listed[None] = set().union(*listed.values())  # type: ignore[index]
    tagged = {"Drama": {item("new"), item("b1")}, "Action": {item("a1"), item("b1")}}
    names = [item(f"{side}{n}") for side in "ab" for n in range(6)] + ["", "i\udcff", "x" * 300]
    numbers = (0.0, 1.0, -3.0, 1e30, 1e-40, float("nan"), float("inf"))
    times = (0, -9, 10, 2**62, -(2**62))
    for _ in range(10_000):
        events = tuple(
            Event("e", draw.choice(("cinema", "?")), draw.choice(names), "seen", draw.choice(times), None,
                  draw.choice(numbers), draw.choice((-1, 0, 1)), draw.choice(numbers))
            for _ in range(draw.randint(0, 6))
        )  # fmt: skip
        had = frozenset(draw.sample(names, 2))
        shut = frozenset(draw.sample(names, 2))
        wanted = draw.choice((frozenset(), frozenset(), frozenset({"Drama"}), frozenset({"action", "?"})))
        repeats = draw.random() < 0.2
        platform = draw.choice((None, "cinema", "stream", "shop", "?"))
        n = draw.choice((-1, 0, 1, 5, 12, 1000))
        at = draw.randrange(3)
        filters = Filters(exclude=shut, repeats=repeats, categories_in=wanted)
        answer = variants[at].candidates(Query(History(None, events), platform, 50, n, filters, had))
        found = [c.item for c in answer.candidates]
        allowed = listed.get(platform, set()) - shut
        if not repeats:
            allowed -= had | {event.item for event in events}
        if wanted:
            allowed &= set().union(*(tagged.get(name.title(), set()) for name in wanted))
        if at == 2:
            allowed.discard(item("b5"))
        assert len(found) == len(set(found)) <= max(n, 0)
        assert set(found) <= allowed
        assert at == 2 or len(found) == min(max(n, 0), len(allowed))
        assert all(np.isfinite(c.score) for c in answer.candidates)


def test_a_short_list_is_the_beginning_of_a_longer_one(recall: Candidates) -> None:
    for names in (("a0",), ("b1", "a2"), ("b0", "b2", "b3")):
        whole = ids(recall, Query(history(*names), n=12))
        assert [ids(recall, Query(history(*names), n=n)) for n in (1, 3, 7)] == [whole[:n] for n in (1, 3, 7)]


def test_candidates_are_made_when_they_are_looked_at(recall: Candidates) -> None:
    answer = recall.candidates(Query(history("a0", "b1"), n=9))
    found = answer.candidates
    assert list(found) == [found[at] for at in range(len(found))] == list(found[:])
    assert found[-1] == found[len(found) - 1] and found[2:7:2] == tuple(list(found)[2:7:2])
    assert found[::-1] == tuple(list(found)[::-1])
    assert answer.scores == [candidate.score for candidate in found] == sorted(answer.scores, reverse=True)
    with pytest.raises(IndexError):
        found[len(found)]


def test_remembered_masks_end_when_a_listing_ends(tmp_path: Path) -> None:
    """Availability changes between two requests with the same filters."""
    build = write_build(tmp_path, events=tastes())
    table = pq.read_table(build / "listings.parquet")
    mine = pc.equal(table["item"], item("a1"))
    for column, value in (("available_from", 200), ("available_to", 300)):
        stated = pc.if_else(mine, pa.scalar(value, pa.int64()), pa.scalar(None, pa.int64()))
        table = table.set_column(table.schema.get_field_index(column), column, stated)
    pq.write_table(table, build / "listings.parquet")
    workspace = Workspace(tmp_path)
    recall = Candidates(
        Artefact.open(workspace.models.use(fit_artefact(workspace, build, SMALL, lambda *_: None)))
    )
    for _ in range(2):
        for as_of, there in ((199, False), (200, True), (299, True), (300, False), (10**30, False)):
            query = Query(history("b0"), "cinema", as_of)
            assert (item("a1") in ids(recall, query)) is there, as_of
            assert ("unavailable" in recall.candidates(query).removed) is not there


def test_the_answer_to_one_request_does_not_leak_into_the_next(recall: Candidates) -> None:
    first = ids(recall, Query(history("a0"), had=frozenset({item("a1"), item("b1")})))
    assert {item("a1"), item("b1")} <= set(ids(recall, Query(history("a0")))) - set(first)


def test_diversification_takes_turns_between_tastes(opened: Artefact) -> None:
    plain, mixed = Candidates(opened), Candidates(opened, RecallConfig(diversity=0.8))
    side = {item(f"{side}{n}"): side for side in "ab" for n in range(6)}
    few, all = Query(history("a0", "a2"), n=4), Query(history("a0", "a2"), n=99)
    assert [side[one] for one in ids(plain, few)] == ["a"] * 4
    assert [side[one] for one in ids(mixed, few)[:2]] == ["a", "b"]
    assert ids(plain, few)[0] == ids(mixed, few)[0]
    assert sorted(ids(mixed, all)) == sorted(ids(plain, all))


def test_new_listings_get_the_stated_share_of_places_the_same_all_day(opened: Artefact) -> None:
    day = 86_400
    recall = Candidates(opened, RecallConfig(explore=0.3))
    plain = Candidates(opened)

    def found(name: str, as_of: int) -> list[str]:
        return ids(recall, Query(History(person(name), history("a0").events), as_of=as_of, n=4))

    assert found("ann", day) == found("ann", day + 50), "drawn once a day"
    usual = ids(plain, Query(history("a0"), n=4))
    people = [f"p{n}" for n in range(300)]
    swapped = [sum(name not in usual for name in found(one, day)) for one in people]
    assert 0.24 < sum(swapped) / (4 * len(people)) < 0.36
    assert all(len(set(found(one, day))) == 4 for one in people[:50])
    explored = recall.candidates(Query(History(person("p1"), history("a0").events), as_of=day, n=4))
    assert all("recent-on-platform" in one.sources for one in explored.candidates if one.item not in usual)
