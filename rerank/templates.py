"""A reason without a model: the sentence of the source that brought the item, over the events behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from recall.types import DISLIKE, Because, Event, History, Item
from rerank.knowledge.told import in_common, kind_word, value_of
from rerank.knowledge.types import Fact
from rerank.types import Evidence, Reason
from rerank.untrusted import clean
from rerank.verbs import Language, verb

TITLE_CHARS, SHOWN = 80, 2
"""Longer titles are cut; so many events are named at most."""

_EN = {
    "events": "Because you {did}.",
    "item-to-item": "Close to what you had before: you {did}.",
    "transitions": "It often comes next for people with a history like this: you {did}.",
    "content": "It resembles what you had before: you {did}.",
    "text-factors": "It resembles what you had before: you {did}.",
    "fact": "It shares the {fact} of “{title}”, which you {verb} on {platform}.",
    "fact-entity": "It features {fact}, as does “{title}”, which you {verb} on {platform}.",
    "fact-use": "It is good for {fact}, as is “{title}”, which you {verb} on {platform}.",
    "popular": "It is popular{there}: {n} people had it.",
    "popular-uncounted": "It is popular{there}.",
    "recent-on-platform": "It is new{there}.",
    "interest": "Its description is close to what you asked for.",
    "nothing": "It fits your history as a whole.",
}
_ZH = {
    "events": "因为你{did}。",
    "item-to-item": "与你接触过的内容相近：你{did}。",
    "transitions": "有类似记录的人接下来常会选择它：你{did}。",
    "content": "与你接触过的内容相似：你{did}。",
    "text-factors": "与你接触过的内容相似：你{did}。",
    "fact": "它与你在 {platform} {verb}的《{title}》有共同的{fact}。",
    "popular": "它{there}很受欢迎：有 {n} 人接触过。",
    "popular-uncounted": "它{there}很受欢迎。",
    "recent-on-platform": "它是最近{there}新上架的。",
    "interest": "它的介绍与你想找的内容接近。",
    "nothing": "它与你的整体记录相符。",
}
_POPULAR = ("popular", "recent-on-platform")

BY_CONTENT = ("content", "text-factors")
"""Sources that bring an item for what it is: a fact in common says more than the events do."""

Facts = Callable[[Sequence[str]], Mapping[str, Sequence[Fact]]]
"""Facts that count, by item id."""

_ALONE = frozenset({"theme", "entity", "use"})
"""Kinds whose values need no word of their kind: the revenge of; but the dark mood of."""


def template_reason(
    because: Because,
    item: Item,
    history: History,
    items: Mapping[str, Item],
    *,
    language: Language = "en",
    platform: str | None = None,
    floor: float = 0.0,
    silent: Sequence[str] = (),
    facts: Facts | None = None,
) -> Reason:
    """The reason of `because.source`, citing at most two of its events, strongest first.

    For a source of BY_CONTENT it names the surest fact that the item has in common with the strongest event's
    item, if `facts` knows one.

    Named are only likes and neutral events of this history whose item is in `items`, whose confidence is
    `floor` or more and whose platform is not `silent`; where none is left, and the source is no popularity,
    the sentence claims nothing but the fit. `platform` is the asking one, to which popularity refers.
    """
    words = _ZH if language == "zh" else _EN
    if because.source in _POPULAR:
        return _popular(because, item, words, language, None if platform in silent else platform)
    known = {event.id: event for event in history.events}
    shown: dict[str, Event] = {}
    for event_id, share in sorted(because.events, key=lambda pair: -pair[1]):
        event = known.get(event_id)
        usable = event is not None and event.polarity != DISLIKE and event.item in items
        if usable and event and share > 0 and event.confidence >= floor and event.platform not in silent:
            shown.setdefault(event.item, event)
    events = list(shown.values())[:SHOWN]
    if not events:
        return Reason(words["interest" if because.source == "interest" else "nothing"], (), "template", True)
    if facts is not None and because.source in BY_CONTENT:
        told = _in_common(item, events[0], items, facts, language)
        if told is not None:
            return told
    did = ("，又" if language == "zh" else " and ").join(_did(event, items, language) for event in events)
    text = words.get(because.source, words["events"]).format_map({"did": did})
    return Reason(text, tuple(event_evidence(event, items) for event in events), "template", True)


def _in_common(
    item: Item, event: Event, items: Mapping[str, Item], facts: Facts, language: Language
) -> Reason | None:
    from rerank.common import fact_evidence

    other = items[event.item]
    known = facts([item.id, other.id])
    common = in_common(known.get(item.id, ()), known.get(other.id, ()), language)
    if not common:
        return None
    best, value = common[0], value_of(common[0].mine)
    word = kind_word(best.mine.kind, language)
    if language == "zh":
        fact = f"{word}“{value}”"
    elif best.mine.kind in _ALONE or value.lower().endswith(word):
        fact = value
    else:
        fact = f"{value} {word}"
    words = _ZH if language == "zh" else _EN
    text = words.get(f"fact-{best.mine.kind}", words["fact"]).format_map(
        {
            "fact": fact,
            "title": clean(other.title, TITLE_CHARS),
            "verb": verb(event, language),
            "platform": clean(event.platform, 40),
        }
    )
    evidence = (event_evidence(event, items), fact_evidence(best.mine), fact_evidence(best.other))
    return Reason(text, evidence, "template", True)


def event_evidence(event: Event, items: Mapping[str, Item], label: str = "") -> Evidence:
    """A pointer to one event, with its item's title for a person to read."""
    known = items.get(event.item)
    return Evidence(
        kind="event",
        label=label,
        text=clean(known.title, TITLE_CHARS) if known else event.item,
        event=event.id,
        item=event.item,
        platform=event.platform,
        time=event.time,
        type=event.type,
        value=event.value,
        polarity=event.polarity,
    )


def _did(event: Event, items: Mapping[str, Item], language: Language) -> str:
    title, platform = clean(items[event.item].title, TITLE_CHARS), clean(event.platform, 40)
    if language == "zh":
        return f"在 {platform} {verb(event, language)}《{title}》"
    return f"{verb(event, language)} “{title}” on {platform}"


def _popular(
    because: Because, item: Item, words: Mapping[str, str], language: Language, platform: str | None
) -> Reason:
    shown = clean(platform, 40) if platform else ""
    there = "" if not shown else f"在 {shown} " if language == "zh" else f" on {shown}"
    source = because.source
    if source == "popular" and not because.popularity:
        source = "popular-uncounted"
    text = words[source].format_map({"there": there, "n": because.popularity or 0})
    counted = "" if because.popularity is None else str(because.popularity)
    fact = Evidence("fact", "", f"{because.source} {counted}".strip(), item=item.id, platform=platform)
    return Reason(text, (fact,), "template", True)
