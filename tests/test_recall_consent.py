"""Consent: by direction in answers, by mutual groups in training."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from recall.consent import Consent, ConsentConfig, Statement

PLATFORMS = ("a", "b", "c", "d")


def consent(*stated: tuple[str, str, bool], default: dict[str, tuple[str, ...]] | None = None) -> Consent:
    rows = [Statement("a", "1", *one, at) for at, one in enumerate(stated)]
    return Consent(ConsentConfig(serves=default or {}), PLATFORMS, rows, lambda platform, user: f"p{user}")


def test_where_nothing_is_stated_all_platforms_serve_each_other() -> None:
    assert consent().serves("p1", "a") is None
    assert consent().groups("p1", ["a", "b"]) == [frozenset("ab")]


def test_consent_has_a_direction() -> None:
    mine = consent(("a", "b", False))
    assert mine.serves("p1", "b") == frozenset("bcd")
    assert mine.serves("p1", "a") is None
    assert mine.serves("p2", "b") is None
    assert mine.groups("p1", ["a", "b"]) == [frozenset("a"), frozenset("b")]


def test_a_platform_always_serves_itself() -> None:
    assert consent(("*", "*", False)).serves("p1", "c") == frozenset("c")


def test_a_statement_that_names_both_platforms_wins_then_the_later_one() -> None:
    assert consent(("a", "b", True), ("a", "*", False)).allows("p1", "a", "b")
    assert not consent(("a", "*", True), ("a", "*", False)).allows("p1", "a", "b")


def test_a_platforms_default_holds_until_the_person_says_otherwise() -> None:
    default: dict[str, tuple[str, ...]] = {"a": ("c",)}
    assert consent(default=default).serves("p1", "b") == frozenset("bcd")
    assert consent(("a", "b", True), default=default).serves("p1", "b") is None


def test_consent_that_is_not_transitive_gives_overlapping_groups() -> None:
    assert consent(("a", "c", False)).groups("p1", ["a", "b", "c"]) == [frozenset("ab"), frozenset("bc")]


def test_no_platform_gives_no_group() -> None:
    assert consent().groups("p1", []) == []


@given(st.lists(st.tuples(st.sampled_from(PLATFORMS), st.sampled_from(PLATFORMS), st.booleans()), max_size=9))
def test_groups_are_exactly_the_maximal_mutual_sets(stated: list[tuple[str, str, bool]]) -> None:
    mine = consent(*stated)

    def mutual(group: tuple[str, ...]) -> bool:
        return all(mine.allows("p1", x, y) and mine.allows("p1", y, x) for x, y in combinations(group, 2))

    every = [frozenset(g) for size in range(1, 5) for g in combinations(PLATFORMS, size) if mutual(g)]
    maximal = {one for one in every if not any(one < other for other in every)}
    found = mine.groups("p1", PLATFORMS)
    assert set(found) == maximal
    assert len(found) == len(maximal)
