"""What the cited evidence and the item's facts carry: the judge of what a reason says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from recall.types import Event, Item
from rerank.common import SHOWN_LINES
from rerank.grammar import NAMED, Deed
from rerank.mentions import plain
from rerank.untrusted import clean
from rerank.wording import WISH_CHARS, WISH_LABEL

if TYPE_CHECKING:
    from rerank.reasons import Draft, ReasonTask


class Wrong(Exception):
    """Carries the code out of the walk."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Group:
    """A verb with what belongs to it, or what is said of the recommended item."""

    deeds: list[Deed] = field(default_factory=list)
    titles: list[frozenset[str]] = field(default_factory=list)
    platforms: list[str] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    about_item: bool = False
    predicts: bool = False
    asked: bool = False
    unlike: bool = False
    facts: list[str] = field(default_factory=list)
    """Of what the verb without a title is said: 'you finished a slow-burn mystery'."""
    joined: bool = False
    """Follows another verb by 'and', so without titles of its own it speaks of that one's."""


class Support:
    """One reason's evidence. `cited` maps an item id to its cited events; `sums` is the text of lines that
    sum up; `wish` is '' unless it is cited."""

    def __init__(self, draft: Draft, task: ReasonTask) -> None:
        self.task = task
        self.item = task.items[draft.item]
        self.shared = {one.key: one.items for one in task.shared if one.place == draft.item}
        """Facts of the item, by `normal` value, with the items of the history that carry them too."""
        cited = {*draft.cites}
        for one in task.shared:
            if one.label in cited:
                cited |= {label for label, _ in one.lines[:SHOWN_LINES]}
        self.lines = [line for line in task.summary.lines if line.label in cited]
        self.cited: dict[str, list[Event]] = {}
        for line in self.lines:
            if line.event:
                self.cited.setdefault(line.event.item, []).append(line.event)
        self.events = [event for line in self.lines for event in line.events]
        self.sums = " ".join(line.text for line in self.lines if not line.event).lower()
        self.wish = ""
        if WISH_LABEL in draft.cites and task.wish:
            self.wish = plain(clean(task.wish, WISH_CHARS)).lower()

    def had(self, name: str, kind: str, ids: frozenset[str], group: Group) -> bool:
        """Whether cited events (of these items, if any are given) carry the attribute, in the verb's tone."""
        wanted = group.deeds or [NAMED]
        for event in self.events:
            known = self.task.known.get(event.item)
            if known is None or (ids and event.item not in ids):
                continue
            named = bool(ids) or event.item in self.cited
            if named and name in attributes(known, kind) and any(deed.allows(event) for deed in wanted):
                return True
        return not ids and f'"{name.lower()}"' in self.sums

    def alike(self, titles: list[frozenset[str]], *, by_creator: bool = False) -> None:
        """A category, creator or fact must be common to the item and each title; without, to one cited."""
        kinds = ("creator",) if by_creator else ("category", "creator")

        def facts(item: Item) -> set[str]:
            return set().union(*(attributes(item, kind) for kind in kinds))

        own = facts(self.item)

        carrying = frozenset[str]() if by_creator else frozenset[str]().union(*self.shared.values())

        def common(ids: frozenset[str]) -> bool:
            return bool(ids & carrying) or any(
                own & facts(self.task.known[i]) for i in ids if i in self.task.known
            )

        if titles and not all(common(ids) for ids in titles):
            raise Wrong("claim")
        if not titles and not common(frozenset(self.cited)) and not any(f'"{n}"' in self.sums for n in own):
            raise Wrong("claim")

    def fact(self, name: str, titles: Sequence[frozenset[str]]) -> None:
        """A fact must be one of the item, and common to it and each of these titles; without titles, to one
        that is cited."""
        carrying = self.shared.get(name, frozenset())
        spoken = titles or [frozenset(self.cited)]
        if not all(ids & carrying for ids in spoken):
            raise Wrong("fact")

    def judge(self, group: Group, titles: int) -> None:
        """Raises Wrong unless the group holds. `titles`: how many cited titles its sentence names."""
        if group.titles:
            for ids in group.titles:
                self.judge_title(group, [event for i in ids for event in self.cited.get(i, ())], ids, titles)
            shown = {event.platform for ids in group.titles for i in ids for event in self.cited.get(i, ())}
            if not set(group.platforms) <= shown:
                raise Wrong("platform")
            return
        if group.deeds:
            fitting = [event for event in self.events if any(deed.allows(event) for deed in group.deeds)]
            if not fitting:
                raise Wrong("tone")
            if not all(any(event.platform == name for event in fitting) for name in group.platforms):
                raise Wrong("platform")
            for name in group.facts:
                carrying = self.shared.get(name, frozenset())
                mine = [event for event in fitting if event.item in carrying]
                if not any(not group.platforms or event.platform in group.platforms for event in mine):
                    raise Wrong("fact")
                said = [n for n in group.numbers if n in _count(len(self.cited))]
                if any(n != len({event.item for event in mine}) for n in said):
                    raise Wrong("number")
            self._free_numbers(group)
            return
        for name in group.platforms:
            on_item = name in self.item.platforms
            if not on_item:
                raise Wrong("platform")
        if group.about_item or not group.titles:
            year = {float(self.item.year)} if self.item.year is not None else set()
            counts = _count(len(self.cited)) | self._asked_numbers()
            rest = [n for n in group.numbers if n not in year | counts]
            if (rest or group.dates) and (group.about_item or not self._in_sums(group)):
                raise Wrong("number")

    def judge_title(self, group: Group, events: list[Event], ids: frozenset[str], titles: int) -> None:
        deeds = group.deeds or [NAMED]
        for deed in deeds:
            fitting = [e for e in events if deed.allows(e)]
            if group.unlike and not group.deeds:
                fitting = events
            if not fitting:
                raise Wrong("tone")
            if group.platforms:
                fitting = [event for event in fitting if event.platform in group.platforms]
                if not fitting:
                    raise Wrong("platform")
            if not any(self._numbers_of(event, ids, titles, group) for event in fitting):
                raise Wrong("number")

    def _numbers_of(self, event: Event, ids: frozenset[str], titles: int, group: Group) -> bool:
        moment = _moment(event.time)
        allowed = {*moment[1], *_count(titles)}
        allowed |= {float(i.year) for i in (self.task.known.get(k) for k in ids) if i and i.year is not None}
        if event.value is not None:
            allowed |= {event.value, float(round(100 * event.value))}
        return set(group.numbers) <= allowed and all(moment[0].startswith(date) for date in group.dates)

    def _free_numbers(self, group: Group) -> None:
        allowed = _count(len(self.cited)) | self._asked_numbers()
        if len(self.events) == 1:
            allowed |= _moment(self.events[0].time)[1] | {self.events[0].value or 0.0}
        if not set(group.numbers) <= allowed and not self._in_sums(group):
            raise Wrong("number")
        if group.dates and not self._in_sums(group):
            raise Wrong("number")

    def _in_sums(self, group: Group) -> bool:
        """Whether the numbers and dates stand in the cited lines that sum up."""
        known = {number(n) for n in re.findall(r"\d+(?:[.,]\d+)*", self.sums)}
        return set(group.numbers) <= known and all(date in self.sums for date in group.dates)

    def _asked_numbers(self) -> set[float]:
        return {number(n) for n in re.findall(r"\d+(?:[.,]\d+)*", self.wish)}


def attributes(item: Item, kind: str) -> set[str]:
    if kind == "category":
        return {plain(clean(name, 40)).lower() for name in item.categories}
    return {plain(clean(name, 60)) for name in item.creators}


def _count(n: int) -> set[float]:
    """A number of titles that may be said: one is never counted, and would pass for a rating."""
    return {float(n)} if n > 1 else set()


def number(text: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return float("nan")


def _moment(time: int) -> tuple[str, set[float]]:
    """A time's ISO date and its year, month and day as numbers."""
    try:
        date = datetime.fromtimestamp(time, UTC).date()
    except (OverflowError, OSError, ValueError):
        return "", set()
    return date.isoformat(), {float(date.year), float(date.month), float(date.day)}
