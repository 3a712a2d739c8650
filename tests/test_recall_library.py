from __future__ import annotations

import time
from pathlib import Path

import pytest
from worlds import item, person, write_build

from recall.errors import NotFound
from recall.ids import item_id, person_id
from recall.library import BuildLibrary
from recall.store import METADATA, Store, open_store
from recall.store.events import LiveEvent, append_events
from recall.store.items import LiveItem, put_items
from recall.store.tombstones import PERSONS, bury

EVENTS = [
    "ann cinema matrix 10",
    "ann stream alien 30 dislike",
    "ann shop heat 20 like 0.5 0.8",
    "bob shop alien 5",
]


class OnlyShopServesCinema:
    def serves(self, person: str, asking: str) -> frozenset[str] | None:
        return frozenset({"shop", "cinema"}) if asking == "cinema" else None


async def _create(store: Store) -> None:
    async with store.write() as connection:
        await connection.run_sync(METADATA.create_all)


@pytest.fixture
def store(tmp_path: Path):
    with open_store(f"sqlite:///{tmp_path}/whyrec.db") as opened:
        opened.run(_create(opened))
        yield opened


def live(user: str, listing: str, at: int, *, platform: str = "cinema") -> LiveEvent:
    return LiveEvent(platform, user, listing, "seen", at, None, 1_000_000, 1)


def test_a_history_is_newest_first_over_all_platforms(tmp_path: Path) -> None:
    history = BuildLibrary(write_build(tmp_path, events=EVENTS)).history(person("ann"))
    assert [event.item for event in history.events] == [item("alien"), item("heat"), item("matrix")]
    alien, heat, _ = history.events
    assert (alien.platform, alien.polarity, alien.weight, alien.time) == ("stream", -1, 0.0, 30)
    assert heat.confidence == pytest.approx(0.8)
    assert heat.id.startswith("e")


def test_only_platforms_that_may_serve_the_asking_one_are_shown_or_mask(tmp_path: Path) -> None:
    library = BuildLibrary(write_build(tmp_path, events=EVENTS), consents=OnlyShopServesCinema())
    shown = library.history(person("ann"), platform="cinema")
    assert [event.platform for event in shown.events] == ["shop", "cinema"]
    assert library.had(person("ann"), platform="cinema") == {item("heat"), item("matrix")}
    assert len(library.history(person("ann"), platform="stream").events) == 3


def test_as_of_shows_only_what_was_before_it(tmp_path: Path) -> None:
    library = BuildLibrary(write_build(tmp_path, events=EVENTS))
    assert [event.time for event in library.history(person("ann"), as_of=20).events] == [10]
    assert library.had(person("ann"), as_of=21) == {item("matrix"), item("heat")}
    assert library.history(person("ann"), as_of=0).events == ()


def test_people_are_found_by_their_accounts_and_unknown_ones_named(tmp_path: Path) -> None:
    library = BuildLibrary(write_build(tmp_path, events=EVENTS))
    assert library.person("stream", "ann") == person("ann")
    with pytest.raises(NotFound, match="no user 'zoe'"):
        library.person("stream", "zoe")
    with pytest.raises(NotFound, match="no platform 'radio'"):
        library.person("radio", "ann")
    with pytest.raises(NotFound, match="no person"):
        library.history("p0")


def test_items_come_in_order_with_their_listings(tmp_path: Path) -> None:
    library = BuildLibrary(
        write_build(tmp_path, events=EVENTS, items=["matrix cinema,radio 1999 Action,Sci-Fi"])
    )
    alien, matrix, again = library.items([item("alien"), item("matrix"), item("alien")])
    assert matrix.title == "Matrix" and matrix.year == 1999 and matrix.categories == ("Action", "Sci-Fi")
    assert matrix.platforms == ("cinema", "radio")
    assert alien is again and alien.platforms == ("shop", "stream")
    with pytest.raises(NotFound, match="i0"):
        library.items([item("alien"), "i0"])


def test_old_ids_are_read_through_the_aliases(tmp_path: Path) -> None:
    aliases = {"p1": "p2", "p2": person("ann"), "i1": item("heat"), "i8": "i9", "i9": "i8"}
    library = BuildLibrary(write_build(tmp_path, events=EVENTS), aliases=aliases)
    assert library.history("p1").person == person("ann")
    assert library.items(["i1"])[0].id == item("heat")
    with pytest.raises(NotFound):
        library.items(["i8"])


def test_a_live_event_counts_in_the_next_history(tmp_path: Path, store: Store) -> None:
    library = BuildLibrary(write_build(tmp_path, events=EVENTS), store=store)
    assert len(library.history(person("bob")).events) == 1
    for step in range(20):
        store.run(
            append_events(store, [live("bob", "alien" if step % 2 else "heat", 100 + step, platform="shop")])
        )
        assert library.history(person("bob")).events[0].time == 100 + step
    assert item("heat") in library.had(person("bob"))


def test_a_live_event_that_the_build_holds_is_shown_once(tmp_path: Path, store: Store) -> None:
    library = BuildLibrary(write_build(tmp_path, events=EVENTS), store=store)
    known = LiveEvent("cinema", "ann", "matrix", "seen", 10, 1.0, 1_000_000, 1)
    store.run(append_events(store, [known]))
    assert len(library.history(person("ann")).events) == 3


def test_a_new_account_is_known_from_its_first_live_event_on(tmp_path: Path, store: Store) -> None:
    library = BuildLibrary(write_build(tmp_path, events=EVENTS), store=store)
    store.run(append_events(store, [live("zoe", "matrix", 50), live("zoe", "unheard_of", 60)]))
    zoe = library.person("cinema", "zoe")
    assert zoe == person_id("cinema", "zoe")
    events = library.history(zoe).events
    assert [event.item for event in events] == [item_id("world", "matrix")], (
        "unknown listings wait for ingest"
    )


def test_a_history_of_a_hundred_events_takes_well_under_a_millisecond(tmp_path: Path, store: Store) -> None:
    lines = [f"u{u} cinema t{(u * 7 + n) % 500} {n}" for u in range(30) for n in range(100)]
    library = BuildLibrary(write_build(tmp_path, events=lines), store=store)
    library.history(person("u0"))
    time.sleep(0.1)
    taken = []
    for u in range(30):
        started = time.perf_counter()
        history = library.history(person(f"u{u}"), platform="cinema")
        library.had(person(f"u{u}"), platform="cinema")
        taken.append(time.perf_counter() - started)
        assert len(history.events) == 100
    assert sorted(taken)[15] < 0.002  # 0.3 ms on an idle machine


def test_an_erased_person_is_unknown_but_for_what_came_since(tmp_path: Path, store: Store) -> None:
    library = BuildLibrary(write_build(tmp_path, events=EVENTS), store=store)
    store.run(append_events(store, [live("ann", "heat", 40, platform="shop")]))
    assert len(library.history(person("ann")).events) == 4
    store.run(bury(store, [("cinema", "ann"), (PERSONS, person("ann"))], now=50))
    for ask in (library.history, library.had):
        with pytest.raises(NotFound):
            ask(person("ann"))
    with pytest.raises(NotFound):
        library.person("cinema", "ann")
    assert library.person("shop", "bob") == person("bob")
    store.run(append_events(store, [live("ann", "matrix", 60)]))
    assert [event.time for event in library.history(person("ann")).events] == [60]
    assert library.had(person("ann")) == {item("matrix")}
    assert library.person("cinema", "ann") == person("ann")


def test_accounts_of_a_person_are_those_of_the_build_and_of_live_events(tmp_path: Path, store: Store) -> None:
    library = BuildLibrary(write_build(tmp_path, events=EVENTS), store=store)
    assert library.accounts(person("ann")) == [("cinema", "ann"), ("shop", "ann"), ("stream", "ann")]
    store.run(append_events(store, [live("new", "heat", 40)]))
    assert library.accounts(person_id("cinema", "new")) == [("cinema", "new")]


def test_a_listing_that_came_in_live_stands_over_the_build_s(tmp_path: Path, store: Store) -> None:
    build = write_build(tmp_path, events=EVENTS, items=["heat shop,cinema 1995 Action"])
    library = BuildLibrary(build, store=store)
    put = [
        LiveItem("shop", "heat", "Heat (new print)", price=9.5, categories=("Crime",)),
        LiveItem("shop", "blade", "Blade Runner", 1982),
    ]
    store.run(put_items(store, put))
    library.look()
    heat, blade = library.items([item("heat"), item_id("shop", "blade")])
    assert (heat.title, heat.year, heat.categories) == ("Heat", 1995, ("Crime",))
    assert {one.platform: (one.title, one.price) for one in heat.listings} == {
        "cinema": ("Heat", None),
        "shop": ("Heat (new print)", 9.5),
    }
    assert (blade.title, blade.year, blade.platforms) == ("Blade Runner", 1982, ("shop",))
    assert library.search("blade")[0] == blade
    assert [one.id for one in library.search("heat", platform="shop")] == [item("heat")]
    assert library.search("blade", platform="cinema") == []
    store.run(append_events(store, [live("ann", "blade", 70, platform="shop")]))
    assert library.history(person("ann")).events[0].item == blade.id
