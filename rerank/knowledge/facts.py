"""What is left of a model's facts about an item after every check. The reply is untrusted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prompts.fields import kinds
from recall.types import Item
from rerank.knowledge.contradictions import contradiction
from rerank.knowledge.grounding import carries, overall, own_text, source_of, words
from rerank.knowledge.schema import LINE, SOURCES, SURE
from rerank.knowledge.subjects import Found
from rerank.knowledge.types import OPEN, Fact
from rerank.reply import MAX_CHARS, json_values, strip_wrapping
from rerank.untrusted import clean

VALUE_CHARS, LINE_CHARS = 60, 240
"""A longer value is no value but a sentence, and is left out; a longer line is cut."""

LINE_WORDS = 3
"""Words of its own that a line has at least."""

PER_KIND, PER_ITEM = 5, 16
"""Facts kept at most, of one kind and of one item; the surest are."""

MEMORY = 0.8
"""By which confidence is multiplied where no text of the item states a fact."""


@dataclass(frozen=True, slots=True)
class Example:
    """What the answer shown in a prompt holds: (kind, value) of its facts, and its line."""

    facts: frozenset[tuple[str, str]] = frozenset()
    line: str = ""

    @classmethod
    def of(cls, text: str) -> Example:
        """Of a prompt's text; empty where it shows none."""
        entries, line = _said(text) or ((), None)
        pairs = ((one.get("kind"), one.get("value")) for one in entries if isinstance(one, dict))
        facts = frozenset((str(kind), str(value).casefold()) for kind, value in pairs)
        return cls(facts, clean(line, LINE_CHARS) if isinstance(line, str) else "")


NO_EXAMPLE = Example()

_TRIMMED = " \t.,;:!?'“”‘’-–—·…"


def parse_facts(
    text: str,
    item: Item,
    domain: str,
    catalogue: frozenset[str] = frozenset(),
    example: Example = NO_EXAMPLE,
) -> Found[tuple[Fact, ...]] | None:
    """The facts of a reply, surest first, with what was left out counted by cause. None: nothing is readable.

    `example` is the prompt's own: a small model gives it back as its answer, and what is copied from there is
    left out unless the item's text carries it. Never raises. What the item's own text does not carry is
    marked OPEN ('unfounded' counts those for which the model named a field). The facts' model, prompt and
    time are left open.
    """
    said = _said(text)
    if said is None:
        return None
    entries, line = said
    counts: Counter[str] = Counter()
    allowed = frozenset(kinds(domain))
    found: dict[tuple[str, str], Fact] = {}
    for entry in entries:
        fact = _fact(entry, item, allowed, counts)
        if fact is None:
            continue
        if fact.source == OPEN and (fact.kind, fact.value) in example.facts:
            counts["copied"] += 1
            continue
        if against := contradiction(fact.kind, fact.value, item, catalogue):
            counts[f"contradicts {against}"] += 1
            continue
        key = (fact.kind, fact.value.casefold())
        if key in found:
            counts["duplicate"] += 1
        if key not in found or found[key].confidence < fact.confidence:
            found[key] = fact
    kept = _capped(sorted(found.values(), key=lambda fact: -fact.confidence), counts)
    if sentence := _line(line, item, catalogue, example, counts):
        kept.append(sentence)
    return Found(tuple(kept), dict(counts))


def _said(text: str) -> tuple[list[Any], Any] | None:
    """Entries and line of a reply; of one that was cut, its whole entries. None where there is neither."""
    values = json_values(strip_wrapping(text[:MAX_CHARS], Counter()))
    for value in reversed(values):  # a model that corrects itself does so at the end
        if isinstance(value, dict) and isinstance(value.get("facts"), list):
            return value["facts"], value.get(LINE)
    loose = [one for value in values for one in (value if isinstance(value, list) else [value])]
    entries = [one for one in loose if isinstance(one, dict) and "kind" in one and "value" in one]
    return (entries, None) if entries else None


def _fact(entry: Any, item: Item, allowed: frozenset[str], counts: Counter[str]) -> Fact | None:
    kind, value = (entry.get("kind"), entry.get("value")) if isinstance(entry, dict) else (None, None)
    if not isinstance(kind, str) or kind not in allowed:
        counts["unknown kind"] += 1
        return None
    text = clean(value, 4 * VALUE_CHARS).strip(_TRIMMED) if isinstance(value, str) else ""
    if kind != "entity":
        text = text.casefold()
    if not any(char.isalnum() for char in text) or "://" in text:
        counts["empty"] += 1
        return None
    if len(text) > VALUE_CHARS:
        counts["too long"] += 1
        return None
    if text.casefold() in {item.title.casefold(), *(name.casefold() for name in SOURCES)}:
        counts["echo"] += 1
        return None
    stated = entry.get("source")
    return _placed(
        item, kind, text, _confidence(entry.get("sure")), source_of(text, item, str(stated)), stated, counts
    )


def _placed(
    item: Item,
    kind: str,
    text: str,
    confidence: float,
    source: str | None,
    stated: Any,
    counts: Counter[str],
) -> Fact:
    if source is None:
        if stated != OPEN:
            counts["unfounded"] += 1
        source, confidence = OPEN, MEMORY * confidence
    return Fact(item.id, kind, text, round(confidence, 4), source, "", "", 0)


def _line(
    line: Any, item: Item, catalogue: frozenset[str], example: Example, counts: Counter[str]
) -> Fact | None:
    text = clean(line, LINE_CHARS) if isinstance(line, str) else ""
    if not text:
        return None
    if words(text) and words(text) <= words(own_text(item)["title"]):
        counts["echo"] += 1
        return None
    if "://" in text or len(words(text)) < LINE_WORDS:
        counts["empty"] += 1
        return None
    if example.line and carries(text, example.line) and overall(text, item) is None:
        counts["copied"] += 1
        return None
    if against := contradiction(LINE, text, item, catalogue):
        counts[f"contradicts {against}"] += 1
        return None
    return _placed(item, LINE, text, SURE["likely"], overall(text, item), OPEN, counts)


def _confidence(sure: Any) -> float:
    """A word of SURE; a number is taken as it is, and anything else as the least sure word."""
    if isinstance(sure, str):
        return SURE.get(sure.strip().casefold(), SURE["maybe"])
    if isinstance(sure, int | float) and 0 < sure <= 1:
        return float(sure)
    return SURE["maybe"]


def _capped(facts: Sequence[Fact], counts: Counter[str]) -> list[Fact]:
    per: Counter[str] = Counter()
    kept: list[Fact] = []
    for fact in facts:
        per[fact.kind] += 1
        if per[fact.kind] > PER_KIND or len(kept) >= PER_ITEM:
            counts["too many"] += 1
        else:
            kept.append(fact)
    return kept
