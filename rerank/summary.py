"""A person's history as labelled lines within a token budget: the only thing a model learns of a person.

Sections, per platform and then over all: what there is, favourite categories and creators by weight, the
strongest likes, dislikes, the most recent events. Trimmed by one rule: event lines go first, the least worth
keeping first (weak before strong, old before new), then favourites, then the platforms' counts. Statements of
a stored profile (p1, p2 …) stand before all that, and go last.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from recall.types import DISLIKE, LIKE, Event, History, Item
from rerank.knowledge.told import statement_line
from rerank.knowledge.types import Statement
from rerank.types import Message
from rerank.untrusted import clean, quoted
from rerank.verbs import Language, deed

Count = Callable[[Sequence[Message]], Awaitable[int]]
"""As ChatModel.count."""

STRONGEST, DISLIKES, RECENT, FAVOURITES = 12, 6, 15, 5
"""Lines per section at most; favourites per line."""

HALF_LIFE_DAYS = 180.0
"""By which an event's strength halves with its age."""


@dataclass(frozen=True, slots=True)
class Line:
    """`keep` is the order of trimming, higher goes first; `events` what the line rests on, newest first."""

    label: str
    text: str
    events: tuple[Event, ...] = ()
    keep: float = 0.0
    platform: str | None = None

    @property
    def event(self) -> Event | None:
        """The one event of an event line; None for a line that sums up several."""
        return self.events[0] if self.keep >= _EVENT_LINES else None


_PROFILE, _COUNTS, _FAVOURITES, _EVENT_LINES = -1.0, 0.0, 1.0, 2.0


@dataclass(frozen=True, slots=True)
class Summary:
    """`tokens` is what `text` takes; `dropped` how many lines the budget cost. `example`: the person's last
    liked choice after earlier ones, for prompts that show one; '' where there are too few."""

    lines: tuple[Line, ...] = ()
    text: str = ""
    tokens: int = 0
    dropped: int = 0
    example: str = ""

    def first(self, n: int) -> Summary:
        """The same with the n lines that are most worth keeping; labels stay as they are."""
        best = sorted(self.lines, key=lambda line: (line.keep, line.label))[:n]
        lines = tuple(line for line in self.lines if line in best)
        share = len(lines) / len(self.lines) if self.lines else 0
        return replace(
            self,
            lines=lines,
            text=_text(lines),
            tokens=math.ceil(self.tokens * share),
            dropped=self.dropped + len(self.lines) - len(lines),
        )


EMPTY = Summary()
"""Of somebody of whom nothing is known, or may be shown."""


async def summarise(
    history: History,
    items: Mapping[str, Item],
    *,
    platform: str | None,
    now: int,
    budget_tokens: int,
    count: Count | None = None,
    floor: float = 0.0,
    language: Language = "en",
    title_chars: int = 120,
) -> Summary:
    """The history's summary. Deterministic; EMPTY where no event has an item and a link at `floor` or above.

    `history` already holds only what may serve `platform`, whose own events come first. `items` gives the
    history's items; events of items that it lacks are left out. `now` is UTC seconds. `count` counts the
    tokens of messages (None: an estimate of four characters per token, one for each Chinese character).
    """
    events = [
        event
        for event in sorted(history.events, key=lambda event: (-event.time, event.id))
        if event.item in items and event.confidence >= floor and event.time <= now
    ]
    if not events:
        return EMPTY
    names = sorted({event.platform for event in events}, key=lambda name: (name != platform, name))
    lines = [line for name in names for line in _overview(name, events, items, language)]
    lines += _event_lines(events, items, now, language, title_chars)
    labelled = tuple(replace(line, label=f"h{number}") for number, line in enumerate(lines, 1))
    full = Summary(labelled, _text(labelled), 0, 0, _example(events, items, language, title_chars))
    return await _fit(full, budget_tokens, count)


async def with_profile(
    summary: Summary,
    statements: Sequence[Statement],
    *,
    instead: bool,
    budget_tokens: int,
    count: Count | None = None,
    language: Language = "en",
) -> Summary:
    """The summary with the statements before its lines, or with `instead` of them, within the budget.

    Without a statement the summary as it is. A label of the history means the same line as before.
    """
    if not statements:
        return summary
    told = tuple(
        Line(f"p{number}", statement_line(one, language), (), _PROFILE + number / 1000)
        for number, one in enumerate(statements, 1)
    )
    lines = told if instead else (*told, *summary.lines)
    example = "" if instead else summary.example
    return await _fit(Summary(lines, _text(lines), 0, summary.dropped, example), budget_tokens, count)


async def _fit(full: Summary, budget: int, count: Count | None) -> Summary:
    """The longest prefix in the order of trimming that stays within the budget."""

    async def tokens(summary: Summary) -> int:
        if count is None:
            return estimate(summary.text)
        return await count([Message("user", summary.text)])

    spent = await tokens(full)
    if spent <= budget:
        return replace(full, tokens=spent)
    low, high, best, cost = 0, len(full.lines) - 1, 0, 0
    while low <= high:
        middle = (low + high) // 2
        spent = await tokens(full.first(middle))
        if spent <= budget or middle == 0:
            low, best, cost = middle + 1, middle, spent
        else:
            high = middle - 1
    return replace(full.first(best), tokens=cost if best else 0)


def estimate(text: str) -> int:
    """Tokens of a text by a stated guess: one per Chinese character, one per four of the others."""
    wide = sum(1 for char in text if ord(char) >= 0x2E80)
    return wide + math.ceil((len(text) - wide) / 4)


def _text(lines: Sequence[Line]) -> str:
    return "\n".join(f"{line.label}: {line.text}" for line in lines)


def _overview(
    name: str, events: Sequence[Event], items: Mapping[str, Item], language: Language
) -> list[Line]:
    mine = tuple(event for event in events if event.platform == name)
    span = " – ".join(dict.fromkeys((month(mine[-1].time), month(mine[0].time))))
    liked = sum(event.polarity == LIKE for event in mine)
    disliked = sum(event.polarity == DISLIKE for event in mine)
    shown = clean(name, 40)
    if language == "zh":
        head = f"{shown}：{len(mine)} 条记录，{span}；喜欢 {liked}，不喜欢 {disliked}"
    else:
        events_word = "event" if len(mine) == 1 else "events"
        head = f"{shown}: {len(mine)} {events_word}, {span}; {liked} liked, {disliked} disliked"
    lines = [Line("", head, mine, _COUNTS, name)]
    for what, word in (("categories", "类别"), ("creators", "作者")):
        best = _favourites(mine, items, what)
        if best:
            listed = ", ".join(f"{quoted(entry, 40)} ({number})" for entry, number in best)
            names = {entry for entry, _ in best}
            rest = tuple(e for e in mine if e.polarity == LIKE and names & set(getattr(items[e.item], what)))
            text = (
                f"{shown} 喜欢的{word}：{listed}"
                if language == "zh"
                else f"{shown} favourite {what}: {listed}"
            )
            lines.append(Line("", text, rest, _FAVOURITES, name))
    return lines


def _favourites(events: Sequence[Event], items: Mapping[str, Item], what: str) -> list[tuple[str, int]]:
    """(name, liked events) of the most liked categories or creators, by weight; singles are no favourites."""
    weight: dict[str, float] = {}
    number: dict[str, int] = {}
    for event in events:
        if event.polarity == LIKE:
            for name in dict.fromkeys(getattr(items[event.item], what)):
                weight[name] = weight.get(name, 0.0) + event.weight
                number[name] = number.get(name, 0) + 1
    best = sorted((name for name in weight if number[name] > 1), key=lambda name: (-weight[name], name))
    return [(name, number[name]) for name in best[:FAVOURITES]]


def _event_lines(
    events: Sequence[Event], items: Mapping[str, Item], now: int, language: Language, limit: int
) -> list[Line]:
    """Strongest likes, dislikes and the most recent, each event and each item once, newest first."""

    def strength(event: Event) -> float:
        return event.weight * event.confidence * 0.5 ** ((now - event.time) / (86_400 * HALF_LIFE_DAYS))

    likes = sorted((e for e in events if e.polarity == LIKE), key=lambda e: (-strength(e), -e.time, e.id))
    chosen: dict[str, Event] = {}
    rank: dict[str, float] = {}
    sections = (likes[:STRONGEST], [e for e in events if e.polarity == DISLIKE][:DISLIKES], events[:RECENT])
    for section in sections:
        for place, event in enumerate(section):
            known = chosen.setdefault(event.item, event)
            rank[known.item] = min(rank.get(known.item, math.inf), place)
    ordered = sorted(chosen.values(), key=lambda event: (-event.time, event.id))
    return [
        Line(
            "",
            _event_text(event, items[event.item], language, limit),
            (event,),
            _EVENT_LINES + rank[event.item],
            event.platform,
        )
        for event in ordered
    ]


def _event_text(event: Event, item: Item, language: Language, limit: int) -> str:
    facts = f"{title(item, limit)}{categories(item)}"
    shown = clean(event.platform, 40)
    if language == "zh":
        return f"{day(event.time)} 在 {shown} {deed(event, language)}：{facts}"
    return f"{day(event.time)} on {shown} {deed(event, language)}: {facts}"


def title(item: Item, limit: int) -> str:
    """The title in quotes, with its year."""
    return quoted(item.title, limit) + (f" ({item.year})" if item.year is not None else "")


def categories(item: Item) -> str:
    """', Action, Sci-Fi', or ''."""
    return "".join(f", {clean(name, 40)}" for name in item.categories[:6])


def _example(events: Sequence[Event], items: Mapping[str, Item], language: Language, limit: int) -> str:
    liked = list({event.item: event for event in events if event.polarity == LIKE}.values())[:6]
    if len(liked) < 3:
        return ""
    last, *before = [title(items[event.item], limit) for event in liked]
    listed = ", ".join(reversed(before))
    return (
        f"在 {listed} 之后，此人选择了 {last}"
        if language == "zh"
        else f"after {listed}, the person chose {last}"
    )


def day(time: int) -> str:
    """The UTC date, 1998-03-01; the bare number where no calendar reaches."""
    try:
        return datetime.fromtimestamp(time, UTC).date().isoformat()
    except (OverflowError, OSError, ValueError):
        return str(time)


def month(time: int) -> str:
    return day(time)[:7]
