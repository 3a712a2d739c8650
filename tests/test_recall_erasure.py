"""Erasing accounts from the store, on SQLite and PostgreSQL; and old builds that hold them."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds import person, write_build

from recall.consent import Statement
from recall.erased import Erased
from recall.errors import DataError
from recall.links.ledger import Decision
from recall.purge import check_clean, holds, purge
from recall.store import Store
from recall.store.consents import load_statements, replace, state
from recall.store.erasure import erase_accounts, hide, shrink
from recall.store.events import LiveEvent, append_events, read_events
from recall.store.links import add_decisions, load_ledger, save_aliases
from recall.store.tombstones import load_tombstones
from recall.workspace import Workspace

ANN, BOB = ("shop", "ann"), ("shop", "bob")


def _live(user: str, time: int) -> LiveEvent:
    return LiveEvent("shop", user, "x", "purchase", time, None, 1_000_000, 1)


def test_one_account_goes_from_every_table_and_the_others_stay(store: Store) -> None:
    store.run(append_events(store, [_live("ann", 1), _live("ann", 2), _live("bob", 1)]))
    store.run(state(store, [Statement(*ANN, "shop", "*", False), Statement(*BOB, "shop", "*", False)]))
    decisions = [
        Decision("person", "add", ANN, ("cinema", "9"), "cli", 1),
        Decision("person", "add", ("cinema", "8"), ANN, "cli", 1),
        Decision("person", "remove", BOB, None, "cli", 1),
        Decision("item", "add", ANN, ("cinema", "9"), "cli", 1),  # an item's listing of the same name
    ]
    store.run(add_decisions(store, decisions))
    store.run(save_aliases(store, {"p0": "p1", "p1": "p2", "p8": "p9"}))
    store.run(hide(store, [ANN], ["p1", "p0"], now=10))
    removed = store.run(erase_accounts(store, [ANN], ["p1", "p0"], now=10))
    assert removed == {"live_events": 2, "consents": 1, "link_decisions": 2, "aliases": 2}
    assert store.run(read_events(store, [ANN, BOB])) == [_live("bob", 1)]
    assert [one.user for one in store.run(load_statements(store))] == ["bob"]
    ledger = store.run(load_ledger(store))
    assert [one.node for one in ledger.decisions] == [BOB, ANN] and ledger.aliases == {"p8": "p9"}
    assert store.run(append_events(store, [_live("ann", 3), _live("ann", 11)])) == {_live("ann", 11).id}
    assert store.run(shrink(store))


def test_who_was_erased_is_known_in_every_process_at_once(store: Store) -> None:
    one, other = Erased(store), Erased(store)
    assert one.until("p1") is None and other.until("p1") is None
    store.run(hide(store, [ANN], ["p1"], now=10))
    assert (one.until("p1"), other.until("p1"), one.until("p2")) == (10, 10, None)
    store.run(hide(store, [ANN], ["p1"], now=20))
    assert one.until("p1") == 20


def test_statements_of_an_account_are_replaced_whole(store: Store) -> None:
    store.run(state(store, [Statement(*ANN, "shop", "*", False), Statement(*BOB, "shop", "*", False)]))
    store.run(replace(store, *ANN, [Statement(*ANN, "cinema", "shop", True)], now=3))
    assert [(one.user, one.source) for one in store.run(load_statements(store))] == [
        ("ann", "cinema"),
        ("bob", "shop"),
    ]
    store.run(replace(store, *ANN, []))
    assert [one.user for one in store.run(load_statements(store))] == ["bob"]


def test_builds_that_hold_an_erased_account_are_removed_but_for_the_current_one(
    tmp_path: Path, store: Store
) -> None:
    workspace = Workspace(tmp_path)
    old = write_build(tmp_path, events=["ann shop x 1", "bob shop x 2"])
    clean = write_build(tmp_path, events=["bob shop x 2"])
    late = write_build(tmp_path, events=["ann shop x 99", "bob shop x 2"])
    store.run(hide(store, [ANN], [person("ann")], now=50))
    stones = store.run(load_tombstones(store))
    assert [holds(build, stones) for build in (old, clean, late)] == [True, False, False]
    assert purge(workspace, stones).builds == (old.name,)
    assert workspace.builds.names() == [clean.name, late.name]
    check_clean(workspace, stones)
    write_build(tmp_path, events=["ann shop x 1"])
    with pytest.raises(DataError, match="whyrec ingest"):
        check_clean(workspace, stones)
    assert purge(workspace, stones).builds == ()
