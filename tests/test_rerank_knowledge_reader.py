"""Stored knowledge in a running process: what was written counts at once, what was read stays in memory."""

from __future__ import annotations

import threading
import time

import pytest

from recall.store import Store
from recall.store.erasure import hide
from recall.store.links import save_aliases
from rerank.knowledge import reader as reading
from rerank.knowledge.reader import HeldKnowledge, StoredKnowledge
from rerank.knowledge.store import forget_items, forget_person, save_facts, save_profile
from rerank.knowledge.types import Fact, Profile, Statement


def fact(item: str, value: str, sure: float = 0.9) -> Fact:
    return Fact(item, "theme", value, sure, "title", "m", "p", 5)


async def _facts(store: Store, item: str, *facts: Fact) -> None:
    await save_facts(store, item, "in", "p", "m", facts)


def put(store: Store, item: str, *facts: Fact) -> None:
    store.run(_facts(store, item, *facts))


def tell(store: Store, person: str, text: str, time: int = 100) -> None:
    statement = Statement("lasting", text, ("e1",), 0.9)
    store.run(save_profile(store, Profile(person, (statement,), "m", "p", time), "in"))


@pytest.fixture
def known(store: Store, monkeypatch: pytest.MonkeyPatch) -> StoredKnowledge:
    monkeypatch.setattr(reading, "LOOK_SECONDS", 0.0)
    return StoredKnowledge(store)


def test_facts_come_surest_first_and_items_without_any_are_left_out(
    store: Store, known: StoredKnowledge
) -> None:
    put(store, "i1", fact("i1", "exile", 0.6), fact("i1", "war", 0.9))
    assert [one.value for one in known.facts(["i1", "i2"])["i1"]] == ["war", "exile"]
    assert known.facts(["i2"]) == {} and known.facts([]) == {}


def test_what_is_written_or_forgotten_counts_in_the_next_look(store: Store, known: StoredKnowledge) -> None:
    assert known.facts(["i1"]) == {} and known.profile("p1") is None
    put(store, "i1", fact("i1", "war"))
    tell(store, "p1", "You like war.")
    assert [one.value for one in known.facts(["i1"])["i1"]] == ["war"]
    put(store, "i1", fact("i1", "peace"))
    assert [one.value for one in known.facts(["i1"])["i1"]] == ["peace"]
    found = known.profile("p1")
    assert found is not None and found.statements[0].text == "You like war."
    store.run(forget_items(store, ["i1"]))
    store.run(forget_person(store, ["p1"]))
    assert known.facts(["i1"]) == {} and known.profile("p1") is None


def test_what_was_asked_before_is_not_read_again(
    store: Store, known: StoredKnowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "i1", fact("i1", "war"))
    tell(store, "p1", "You like war.")
    first = known.facts(["i1", "i2"]), known.profile("p1"), known.profile("p2")

    async def no(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(reading, "_facts", no)
    monkeypatch.setattr(reading, "_profile", no)
    assert (known.facts(["i1", "i2"]), known.profile("p1"), known.profile("p2")) == first


def test_where_nothing_was_ever_extracted_nothing_is_read(
    known: StoredKnowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no(*_: object) -> None:
        raise AssertionError("read")

    monkeypatch.setattr(reading, "_facts", no)
    monkeypatch.setattr(reading, "_profile", no)
    assert known.facts(["i1"]) == {} and known.profile("p1") is None


def test_ids_are_read_through_the_aliases(store: Store, known: StoredKnowledge) -> None:
    put(store, "old", fact("old", "war"))
    put(store, "both", fact("both", "own"))
    tell(store, "before", "You like war.")
    aliases = {"older": "old", "old": "mid", "mid": "new", "other": "both", "before": "now"}
    store.run(save_aliases(store, aliases))
    found = known.facts(["new", "both"])
    assert [(one.item, one.value) for one in found["new"]] == [("new", "war")]
    assert [one.value for one in found["both"]] == ["own"]
    profile = known.profile("now")
    assert profile is not None and profile.person == "now"
    store.run(save_aliases(store, {}))
    known.look()
    assert known.facts(["new"]) == {} and known.profile("now") is None


def test_an_erased_person_has_no_profile_and_a_new_one_shows_again(
    store: Store, known: StoredKnowledge
) -> None:
    now = int(time.time())
    tell(store, "p1", "You like war.", now - 10)
    assert known.profile("p1") is not None
    store.run(hide(store, [], ["p1"], now=now))
    assert known.profile("p1") is None
    tell(store, "p1", "You like peace.", now + 1)
    found = known.profile("p1")
    assert found is not None and found.statements[0].text == "You like peace."


def test_readers_and_a_writer_at_the_same_time_end_at_what_was_written_last(
    store: Store, known: StoredKnowledge
) -> None:
    put(store, "i1", fact("i1", "v0"))
    stop, seen = threading.Event(), list[str]()

    def read() -> None:
        while not stop.is_set():
            seen.append(known.facts(["i1"])["i1"][0].value)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1, 15):
        put(store, "i1", fact("i1", f"v{number}"))
    stop.set()
    for thread in threads:
        thread.join()
    assert known.facts(["i1"])["i1"][0].value == "v14" and seen


def test_memory_stays_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_ITEMS", 10)
    known = StoredKnowledge(store)
    put(store, "i1", fact("i1", "war"))
    assert "i1" in known.facts([f"i{n}" for n in range(50)])
    assert len(known._facts._values) <= 10
    assert "i1" in known.facts(["i1"])


def test_held_knowledge_answers_alike() -> None:
    profile = Profile("p1", (), "m", "p", 1)
    held = HeldKnowledge({"i1": [fact("i1", "a", 0.5), fact("i1", "b")]}, {"p1": profile})
    assert [one.value for one in held.facts(["i1", "i2"])["i1"]] == ["b", "a"]
    assert held.profile("p1") is profile and held.profile("p2") is None
