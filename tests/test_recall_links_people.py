"""Accounts become persons by tables and keys, and what was undone stays undone."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from recall.ids import person_id
from recall.links.config import LinksConfig
from recall.links.ledger import Decision, Ledger
from recall.links.people import CLAIMS, Refused, link_people
from recall.tables import LINKS

CONFIG = LinksConfig()


def accounts(*rows: tuple[Any, ...]) -> pa.Table:
    """(platform, user, first_seen[, keys])."""
    return pa.table(
        {
            "platform": pa.array([row[0] for row in rows], pa.string()),
            "user": pa.array([row[1] for row in rows], pa.string()),
            "first_seen": pa.array([row[2] for row in rows], pa.int64()),
            "keys": pa.array([row[3] if len(row) > 3 else None for row in rows], pa.list_(pa.string())),
        }
    )


def table(*rows: tuple[str, str, str]) -> pa.Table:
    """Claims of a link table: (key, platform, user)."""
    columns = list(zip(*rows, strict=True)) if rows else [(), (), ()]
    keys = [f"table:{key}" for key in columns[0]]
    return pa.table([keys, *map(list, columns[1:]), [1.0] * len(rows)], schema=CLAIMS)


def persons(given: pa.Table, pairs: pa.Table, ledger: Ledger | None = None) -> dict[tuple[str, str], str]:
    links = link_people(given, pairs, ledger or Ledger(), CONFIG).links
    assert links.schema == LINKS
    assert len(links) == len(given)
    names = ("platform", "key", "target")
    return {(p, k): t for p, k, t in zip(*(links[name].to_pylist() for name in names), strict=True)}


THREE = accounts(("a", "1", 9), ("b", "2", 5), ("c", "3", 7))


def test_accounts_with_one_key_in_a_table_are_one_person_named_after_the_first() -> None:
    found = persons(THREE, table(("K", "a", "1"), ("K", "b", "2")))
    assert found["a", "1"] == found["b", "2"] == person_id("b", "2")
    assert found["c", "3"] == person_id("c", "3")


def test_links_close_over_an_account_that_has_no_events() -> None:
    pairs = table(("K", "a", "1"), ("K", "d", "0"), ("L", "d", "0"), ("L", "c", "3"))
    found = persons(THREE, pairs)
    assert found["a", "1"] == found["c", "3"]


def test_shared_hashes_link_and_a_hash_of_too_many_accounts_links_nobody() -> None:
    given = accounts(("a", "1", 1, ["email:h"]), ("b", "2", 2, ["email:h"]))
    assert len(set(persons(given, table()).values())) == 1
    family = [("a", str(number), number, ["email:h"]) for number in range(CONFIG.accounts_per_key + 1)]
    many = accounts(*family, ("b", "x", 0, ["email:h"]))
    assert len(set(persons(many, table()).values())) == len(many)
    found = link_people(many, table(), Ledger(), CONFIG).refused
    assert found == (Refused("email", "shared", CONFIG.accounts_per_key + 1),)


def test_accounts_that_keys_chain_beyond_the_limit_are_nobody_but_what_was_joined_by_hand() -> None:
    rows = [("ab"[at % 2], f"{at:02}", at, [f"email:{at}", f"email:{at + 1}"]) for at in range(6)]
    whole = accounts(*rows, ("c", "x", 9, ["phone:1"]), ("d", "y", 9, ["phone:1"]))
    config = LinksConfig(accounts_per_person=5)
    by_hand = Ledger((Decision("person", "add", ("a", "00"), ("c", "x")),))
    found = link_people(whole, table(), by_hand, config)
    targets = found.links["target"].to_pylist()
    assert found.refused == (Refused("email", "chain", 6),)
    assert len(set(targets)) == 6


def test_an_undone_link_stays_undone_whatever_joins_it_again() -> None:
    pairs = table(("K", "a", "1"), ("K", "b", "2"), ("K", "c", "3"), ("L", "a", "1"), ("L", "b", "2"))
    remove = Decision("person", "remove", ("b", "2"), ("a", "1"))
    found = persons(THREE, pairs, Ledger((remove,)))
    assert found["a", "1"] != found["b", "2"]
    again = Decision("person", "add", ("a", "1"), ("b", "2"))
    assert len(set(persons(THREE, pairs, Ledger((remove, again))).values())) == 1


def test_a_link_by_hand_needs_no_table() -> None:
    ledger = Ledger((Decision("person", "add", ("a", "1"), ("c", "3")),))
    links = link_people(THREE, table(), ledger, CONFIG).links
    assert links["method"].to_pylist() == ["manual", "own", "manual"]


def test_no_account_gives_no_row() -> None:
    assert len(link_people(accounts(), table(), Ledger(), CONFIG).links) == 0


def test_an_id_that_went_away_leads_to_the_one_that_took_its_place_and_back_after_a_split() -> None:
    apart = link_people(THREE, table(), Ledger(), CONFIG).links
    joined = link_people(THREE, table(("K", "a", "1"), ("K", "b", "2")), Ledger(), CONFIG).links
    aliases = Ledger().follow(apart, joined)
    assert aliases == {person_id("a", "1"): person_id("b", "2")}
    assert Ledger((), aliases).resolve(person_id("a", "1")) == person_id("b", "2")
    assert Ledger((), aliases).follow(joined, apart) == {}


def test_aliases_are_followed_through_several_builds_and_a_circle_ends() -> None:
    assert Ledger((), {"p1": "p2", "p2": "p3"}).resolve("p1") == "p3"
    assert Ledger((), {"p1": "p2", "p2": "p1"}).resolve("p1") in ("p1", "p2")


@settings(max_examples=40, deadline=None)
@given(
    st.permutations(range(4)),
    st.lists(st.tuples(st.sampled_from("KLM"), st.integers(0, 3)), max_size=8),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=3),
)
def test_order_does_not_matter_and_undone_pairs_never_meet(
    order: list[int], claims: list[tuple[str, int]], undone: list[tuple[int, int]]
) -> None:
    nodes = [("a", "1"), ("b", "2"), ("c", "3"), ("a", "4")]
    given = accounts(*((*node, at) for at, node in enumerate(nodes)))
    ledger = Ledger(
        tuple(Decision("person", "remove", nodes[one], nodes[two]) for one, two in undone if one != two)
    )
    pairs = table(*((key, *nodes[row]) for key, row in claims))
    found = persons(given, pairs, ledger)
    assert (
        persons(given.take(order), table(*((key, *nodes[row]) for key, row in claims[::-1])), ledger) == found
    )
    assert all(found[nodes[one]] != found[nodes[two]] for one, two in undone if one != two)
