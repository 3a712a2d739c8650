"""Facts that a returned item has in common with what a person liked: labels f1, f2 …, which reasons cite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recall.types import DISLIKE, Event, Item
from rerank.knowledge.told import Common, in_common, kind_word, normal, value_of
from rerank.knowledge.types import Fact
from rerank.summary import Line, Summary
from rerank.types import Evidence
from rerank.untrusted import quoted
from rerank.verbs import Language

PER_ITEM, SHOWN_LINES = 4, 2
"""Facts that one item shows at most, surest first; lines of the history that are named with each."""


@dataclass(frozen=True, slots=True)
class Shared:
    """One value that the item at `place` and the items of some lines of the history carry. `lines` holds the
    lines' labels with the fact as that item carries it, those most worth keeping first."""

    label: str
    place: int
    fact: Fact
    lines: tuple[tuple[str, Fact], ...]

    @property
    def key(self) -> str:
        return normal(self.fact.value)

    @property
    def items(self) -> frozenset[str]:
        """Items of the history that carry it."""
        return frozenset(fact.item for _, fact in self.lines)


def shared_facts(
    items: Sequence[Item],
    summary: Summary,
    facts: Mapping[str, Sequence[Fact]],
    *,
    language: Language,
    silent: Sequence[str] = (),
) -> tuple[Shared, ...]:
    """What each of `items` has in common with the summary's event lines that are no dislikes and not on a
    `silent` platform. `facts` are those that count, by item id."""
    lines = [
        line
        for line in sorted(summary.lines, key=lambda line: line.keep)
        if line.event
        and _liked(line.event)
        and line.event.platform not in silent
        and line.event.item in facts
    ]
    found: list[Shared] = []
    for place, item in enumerate(items):
        carried: dict[str, list[tuple[Line, Common]]] = {}
        for line in lines if item.id in facts else ():
            assert line.event is not None
            for one in in_common(facts[item.id], facts[line.event.item], language):
                carried.setdefault(normal(one.mine.value), []).append((line, one))
        best = sorted(
            carried.values(), key=lambda some: (-max(c.confidence for _, c in some), some[0][0].keep)
        )
        for some in best[:PER_ITEM]:
            mine = some[0][1].mine
            others = tuple((line.label, one.other) for line, one in some)
            found.append(Shared(f"f{len(found) + 1}", place, mine, others))
    return tuple(found)


def _liked(event: Event) -> bool:
    return event.polarity != DISLIKE


def shared_lines(shared: Sequence[Shared], labels: Mapping[int, str], language: Language) -> str:
    """f1: A and h3 share the theme "revenge". `labels` are those of the items that are asked about, by
    place; '' where they share nothing."""
    told = []
    for one in shared:
        if one.place not in labels:
            continue
        lines = [label for label, _ in one.lines[:SHOWN_LINES]]
        what = f"{kind_word(one.fact.kind, language)} {quoted(one.fact.value, 60)}"
        if language == "zh":
            told.append(f"{one.label}：{'、'.join([labels[one.place], *lines])} 共有 {what}")
        else:
            first = ", ".join([labels[one.place], *lines[:-1]])
            told.append(f"{one.label}: {first} and {lines[-1]} share: {what}")
    return "\n".join(told)


def fact_evidence(fact: Fact, label: str = "") -> Evidence:
    """A pointer to one fact of one item. `source` says where it was read; 'model': in no text of the item."""
    return Evidence("fact", label, f"{fact.kind}: {value_of(fact)}", item=fact.item, source=fact.source)
