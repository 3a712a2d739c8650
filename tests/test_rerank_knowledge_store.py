"""Facts and statements come back as they went in, on SQLite and PostgreSQL, and go with the person."""

from __future__ import annotations

import pytest

from recall.store import Store
from recall.store.erasure import hide
from rerank.knowledge.store import (
    Extraction,
    changed,
    count_writes,
    extracted,
    forget_items,
    forget_people,
    forget_person,
    load_facts,
    load_profile,
    save_damaged,
    save_facts,
    save_profile,
)
from rerank.knowledge.types import OPEN, Fact, Profile, Statement


def fact(value: str, confidence: float = 0.9, source: str = "description", item: str = "i1") -> Fact:
    return Fact(item, "theme", value, confidence, source, "m", "p", 7)


def profile(person: str = "p1", *texts: str, time: int = 100) -> Profile:
    statements = tuple(
        Statement("habit" if n else "lasting", text, (f"e{n}", "e9"), 0.8, "shop" if n else None)
        for n, text in enumerate(texts)
    )
    return Profile(person, statements, "m", "p", time)


def test_facts_come_back_surest_first_and_replace_the_items_earlier_ones(store: Store) -> None:
    store.run(save_facts(store, "i1", "in", "pr", "m", [fact("old")]))
    mine = [fact("space", 0.6), fact("horror", 0.9), fact("slime", 0.9, OPEN)]
    store.run(save_facts(store, "i1", "in2", "pr", "m", mine, dropped={"contradiction": 2}, attempts=2))
    store.run(save_facts(store, "i2", "in", "pr", "m", []))
    found = store.run(load_facts(store))
    assert found == {"i1": (mine[1], mine[2], mine[0])}
    assert store.run(load_facts(store, ["i2", "i1"], open_world=False, floor=0.7)) == {"i1": (mine[1],)}
    settled = store.run(extracted(store, "item"))
    assert (settled["i1"].input_hash, settled["i1"].attempts) == ("in2", 2)
    assert settled["i1"].dropped == {"contradiction": 2} and settled["i2"].status == "done"
    assert store.run(extracted(store, "item", ["i2"])).keys() == {"i2"}
    assert store.run(extracted(store, "person")) == {}


def test_the_same_fact_said_twice_is_one(store: Store) -> None:
    store.run(save_facts(store, "i1", "in", "pr", "m", [fact("space", 0.9), fact("space", 0.5)]))
    assert len(store.run(load_facts(store))["i1"]) == 1


def test_a_profile_comes_back_as_it_went_in(store: Store) -> None:
    first = profile("p1", "likes ghosts", "buys at night")
    assert store.run(save_profile(store, first, "in"))
    assert store.run(load_profile(store, "p1")) == first
    assert store.run(save_profile(store, profile("p1", "likes cats"), "in2", "pr2", "m2"))
    found = store.run(load_profile(store, "p1"))
    assert found is not None and [one.text for one in found.statements] == ["likes cats"]
    assert store.run(extracted(store, "person"))["p1"].prompt_hash == "pr2"
    assert store.run(load_profile(store, "p2")) is None


def test_damage_keeps_what_the_same_input_gave_and_removes_what_another_gave(store: Store) -> None:
    store.run(save_facts(store, "i1", "in", "pr", "m", [fact("space")]))
    damaged = Extraction("i1", "in", "pr2", "m", "damaged", 3)
    store.run(save_damaged(store, "item", damaged, since=0))
    assert store.run(load_facts(store)) and store.run(extracted(store, "item"))["i1"].status == "damaged"
    store.run(save_damaged(store, "item", Extraction("i1", "in2", "pr2", "m", "damaged", 3), since=0))
    assert store.run(load_facts(store)) == {}


def test_a_person_is_forgotten_under_every_id_and_others_stay(store: Store) -> None:
    for person in ("p1", "p0", "p2"):
        store.run(save_profile(store, profile(person, "likes ghosts"), "in"))
    store.run(save_facts(store, "p1", "in", "pr", "m", [fact("space", item="p1")]))
    assert store.run(forget_person(store, ["p1", "p0"])) == 4
    assert store.run(forget_person(store, ["p1", "p0"])) == 0
    assert store.run(extracted(store, "person")).keys() == {"p2"}
    assert store.run(load_profile(store, "p1")) is None and store.run(load_facts(store))
    assert store.run(forget_people(store)) == 2


def test_an_extraction_that_ends_after_its_person_was_erased_is_not_kept(store: Store) -> None:
    store.run(hide(store, [("shop", "7")], ["p1"], now=100))
    assert not store.run(save_profile(store, profile("p1", "likes ghosts", time=100), "in"))
    assert not store.run(save_damaged(store, "person", Extraction("p1", "in", "pr", "m"), since=99))
    assert store.run(extracted(store, "person")) == {} and store.run(load_profile(store, "p1")) is None
    assert store.run(save_profile(store, profile("p1", "came back", time=101), "in"))


def test_items_are_forgotten_some_or_all(store: Store) -> None:
    for item in ("i1", "i2", "i3"):
        store.run(save_facts(store, item, "in", "pr", "m", [fact("space", item=item)]))
    assert store.run(forget_items(store, ["i1"])) == 2
    assert store.run(load_facts(store)).keys() == {"i2", "i3"}
    assert store.run(forget_items(store)) == 4
    assert store.run(extracted(store, "item")) == {}


def test_every_write_and_removal_moves_the_mark(store: Store) -> None:
    marks = [store.run(count_writes(store))]

    def moved() -> bool:
        marks.append(store.run(count_writes(store)))
        if store.sqlite:
            assert changed(store) == marks[-1]
        return marks[-1] != marks[-2]

    store.run(save_facts(store, "i1", "in", "pr", "m", [fact("space")]))
    assert moved()
    store.run(save_profile(store, profile("p1", "likes ghosts"), "in"))
    assert moved()
    store.run(forget_items(store))
    assert moved()
    store.run(forget_items(store))
    assert not moved()
    if not store.sqlite:
        assert changed(store) is None


@pytest.mark.parametrize("number", [0, 1, 900])
def test_any_number_of_items_is_asked_for(store: Store, number: int) -> None:
    store.run(save_facts(store, "i1", "in", "pr", "m", [fact("space")]))
    wanted = [f"i{n}" for n in range(number + 1)]
    assert len(store.run(load_facts(store, wanted))) == (number >= 1)
