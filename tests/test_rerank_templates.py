"""Reasons without a model: each source's sentence over the events that carry the item."""

from __future__ import annotations

import pytest

from recall.types import DISLIKE, LIKE, Because, Event, History, Item
from rerank.templates import template_reason

ITEMS = {key: Item(key, title) for key, title in (("x", "X"), ("y", "Y"), ("z", "Z"))}
HISTORY = History(
    "p",
    (
        Event("e1", "stream", "x", "watch", 3, 0.9, 1.0, LIKE),
        Event("e2", "shop", "y", "purchase", 2, None, 1.0, LIKE, 0.6),
        Event("e3", "stream", "z", "watch", 1, 0.1, 0.0, DISLIKE),
    ),
)
ALL = (("e1", 0.5), ("e2", 0.3), ("e3", 0.9))


def _reason(source: str, events=ALL, **fields):  # type: ignore[no-untyped-def]
    return template_reason(
        Because(source, events, fields.pop("popularity", None)), Item("t", "T"), HISTORY, ITEMS, **fields
    )


def test_als_names_what_was_done_where_in_english_and_chinese() -> None:
    assert _reason("als").text == "Because you finished “X” on stream and bought “Y” on shop."
    assert _reason("als", language="zh").text == "因为你在 stream 看完了《X》，又在 shop 购买了《Y》。"


@pytest.mark.parametrize("source", ["als", "item-to-item", "transitions", "content"])
def test_evidence_points_at_the_events_named_and_a_dislike_is_never_one(source: str) -> None:
    reason = _reason(source)
    assert [evidence.event for evidence in reason.evidence] == ["e1", "e2"]
    assert "Z" not in reason.text and reason.author == "template"


def test_events_below_the_floor_and_silent_platforms_are_not_named() -> None:
    assert [e.event for e in _reason("als", floor=0.7).evidence] == ["e1"]
    assert [e.event for e in _reason("als", silent=("stream",)).evidence] == ["e2"]
    assert _reason("als", silent=("stream", "shop")).text == "It fits your history as a whole."


def test_popularity_says_how_many_and_where() -> None:
    reason = _reason("popular", (), popularity=42, platform="shop")
    assert reason.text == "It is popular on shop: 42 people had it."
    assert _reason("recent-on-platform", (), platform="shop").text == "It is new on shop."


def test_braces_in_a_title_are_not_read_again() -> None:
    items = {**ITEMS, "x": Item("x", "{did} {0}")}
    reason = template_reason(Because("als", (("e1", 1.0),)), Item("t", "T"), HISTORY, items)
    assert reason.text == "Because you finished “(did) (0)” on stream."
