"""The history summary: labelled, within its budget, deterministic, and only what may be shown."""

from __future__ import annotations

import random

import pytest

from recall.types import DISLIKE, LIKE, NEUTRAL, Event, History, Item
from rerank.summary import EMPTY, estimate, summarise

ITEMS = {f"i{n}": Item(f"i{n}", f"Title {n}", 1990 + n % 9, ("Ann",), ("Drama",)) for n in range(60)}


def _history(n: int, **fields: object) -> History:
    events = [
        Event(f"e{k}", ("stream", "shop")[k % 2], f"i{k}", "watch", 1000 * (n - k), 0.9, 1.0, LIKE, **fields)  # type: ignore[arg-type]
        for k in range(n)
    ]
    return History("p", tuple(events))


async def _summarise(history: History, budget: int = 10_000, **fields: object):  # type: ignore[no-untyped-def]
    return await summarise(
        history,
        ITEMS,
        platform="shop",
        now=10**7,
        budget_tokens=budget,
        **fields,  # type: ignore[arg-type]
    )


async def test_lines_are_labelled_in_order_and_the_asking_platform_comes_first() -> None:
    summary = await _summarise(_history(10))
    assert [line.label for line in summary.lines] == [f"h{n}" for n in range(1, len(summary.lines) + 1)]
    assert summary.lines[0].text.startswith("shop: 5 events")


@pytest.mark.parametrize("budget", [0, 20, 60, 200, 500])
async def test_the_budget_is_kept_and_what_was_dropped_is_counted(budget: int) -> None:
    full = await _summarise(_history(50))
    summary = await _summarise(_history(50), budget)
    assert estimate(summary.text) <= budget
    assert len(summary.lines) + summary.dropped == len(full.lines)


async def test_weak_and_old_event_lines_go_before_favourites_and_counts() -> None:
    full, short = await _summarise(_history(50)), await _summarise(_history(50), 120)
    kept = {line.label for line in short.lines}
    assert {line.label for line in full.lines if line.keep < 1} <= kept
    lost = [line.keep for line in full.lines if line.label not in kept]
    assert min(lost) >= max(line.keep for line in short.lines)


async def test_the_same_history_in_any_order_gives_the_same_text() -> None:
    history = _history(30)
    events = list(history.events)
    random.Random(5).shuffle(events)
    assert (await _summarise(History("p", tuple(events)))) == (await _summarise(history))


async def test_events_below_the_floor_or_after_now_are_not_shown() -> None:
    assert await _summarise(_history(5, confidence=0.4), floor=0.5) == EMPTY
    assert await summarise(_history(5), ITEMS, platform=None, now=0, budget_tokens=99) == EMPTY


async def test_a_dislike_is_shown_as_one() -> None:
    event = Event("e", "cinema", "i1", "rating", 5, 1.0, 0.0, DISLIKE)
    summary = await _summarise(History("p", (event,)))
    assert "disliked (rated 1)" in summary.text


async def test_a_chinese_summary_is_written_in_chinese() -> None:
    assert "看完了" in (await _summarise(_history(3), language="zh")).text


@pytest.mark.parametrize(("language", "said"), [("en", "on cinema rated 3: "), ("zh", "在 cinema 评分 3：")])
async def test_a_rating_between_like_and_dislike_is_said_once(language: str, said: str) -> None:
    event = Event("e", "cinema", "i1", "rating", 5, 3.0, 0.2, NEUTRAL)
    text = (await _summarise(History("p", (event,)), language=language)).text
    assert said in text and text.count("3") - text.count("1993") == 1
