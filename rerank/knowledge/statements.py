"""What is left of a model's statements about a person after the check of reasons, and a few rules more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

from prompts import Prompt
from recall.types import DISLIKE, Event, Item
from rerank.check import check
from rerank.config import ReasonsConfig
from rerank.knowledge.schema import SURE
from rerank.knowledge.subjects import Found
from rerank.knowledge.types import Statement
from rerank.mentions import vocabulary_of
from rerank.reasons import Draft, ReasonTask
from rerank.reply import MAX_CHARS, json_values, strip_wrapping
from rerank.summary import Line, Summary
from rerank.untrusted import clean

Kind = Literal["lasting", "current", "dislike", "habit"]
KINDS: tuple[Kind, ...] = ("lasting", "current", "dislike", "habit")

STATEMENTS = 8
"""Kept at most, in the reply's order."""

TEXT_CHARS = 240
"""A longer statement is left out."""

CURRENT_DAYS = 90
"""A current interest rests on an event at most so many days older than the newest one."""

EVENTS = 200
"""Ids kept with one statement, newest first; the lines that sum up may rest on more."""

MANY = 3
"""Events that "often" rests on at least."""

_OFTEN = re.compile(
    r"\b(?:often|mostly|mainly|usually|frequently|regularly|consistently)\b\s*|常常|经常|通常|主要|往往",
    re.IGNORECASE,
)
_LATELY = re.compile(
    r"(?:^lately,?\s+|^recently,?\s+|\b(?:lately|recently|currently|these days)\b\s*)|最近|近来|目前",
    re.IGNORECASE,
)
_LASTING = re.compile(
    r"\b(?:lasting|long-standing|steady|strong|clear) (?=taste|interest|preference)", re.IGNORECASE
)
_INCLINED = re.compile(
    r"\b(?:are|have been|were) (?:drawn to|into|keen on|fond of|a fan of|interested in)\b"
    r"|\b(?:lean|gravitate) towards?\b|\btend to (?:like|prefer|enjoy)\b",
    re.IGNORECASE,
)
"""Ways to say that somebody likes something."""

_NOBODY = Item("", "")
"""In the place of a recommended item: nothing may be said of it."""

_LIST: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
STATEMENTS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "statements": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "kind": {"type": "string", "enum": list(KINDS)},
                    "cites": _LIST,
                    "text": {"type": "string"},
                    "sure": {"type": "string", "enum": list(SURE)},
                },
                "required": ["kind", "cites", "text", "sure"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["statements"],
    "additionalProperties": False,
}
"""JSON schema of an answer about one person: the same object for all, without length keywords."""


def parse_statements(
    text: str, summary: Summary, items: Mapping[str, Item], prompt: Prompt
) -> Found[tuple[Statement, ...]] | None:
    """The statements of a reply that the lines of `summary` carry, and what was left out counted by cause:
    a code of rerank.check, or one of those below. None: nothing is readable. Never raises.

    'kind': it is none, or the tone of its events is another's; 'seldom': lasting on a single event; 'old': no
    event of a current interest is recent; 'platform': a habit that is not about one platform; 'repeated'.
    """
    entries = _entries(text)
    if entries is None:
        return None
    language = prompt.language
    task = ReasonTask(
        summary, (_NOBODY,), items, prompt, None, None, language, ReasonsConfig(max_chars=TEXT_CHARS)
    )
    vocabulary = vocabulary_of(task)
    lines = {line.label: line for line in summary.lines}
    newest = max((event.time for line in summary.lines for event in line.events), default=0)
    dropped: Counter[str] = Counter()
    found: dict[str, Statement] = {}
    for entry in entries:
        draft = _draft(entry)
        if draft is None:
            dropped["unreadable"] += 1
            continue
        cited = [lines[label] for label in draft.cites if label in lines]
        code = check(replace(draft, text=_plain(draft.text, cited, newest)), task, vocabulary)
        if code is not None:
            dropped[code] += 1
            continue
        kind = str(entry.get("kind"))
        code = _misfit(kind, cited, newest)
        if code is not None:
            dropped[code] += 1
            continue
        said = " ".join(draft.text.split())
        if said in found or len(found) >= STATEMENTS:
            dropped["repeated" if said in found else "too many"] += 1
            continue
        found[said] = Statement(
            kind=cast(Kind, kind),
            text=clean(said, TEXT_CHARS),
            events=tuple(event.id for event in _events(cited)[:EVENTS]),
            confidence=_confidence(entry.get("sure")),
            platform=_platforms(cited).pop() if kind == "habit" else None,
        )
    return Found(tuple(found.values()), dict(dropped))


def _entries(text: str) -> list[dict[str, Any]] | None:
    """The entries of a reply, of one that was cut its whole ones; None where there is no sign of any."""
    values = json_values(strip_wrapping(text[:MAX_CHARS], Counter()))
    for value in reversed(values):  # a model that corrects itself does so at the end
        if isinstance(value, dict) and isinstance(value.get("statements"), list):
            return [one for one in value["statements"] if isinstance(one, dict)]
    loose = [one for value in values for one in (value if isinstance(value, list) else [value])]
    entries = [one for one in loose if isinstance(one, dict) and "text" in one and "cites" in one]
    return entries or None


def _draft(entry: Mapping[str, Any]) -> Draft | None:
    said, cites = entry.get("text"), entry.get("cites")
    if not isinstance(said, str) or not said.strip() or not isinstance(cites, list):
        return None
    labels = tuple(dict.fromkeys(one.strip() for one in cites[:20] if isinstance(one, str)))
    return Draft(0, said.strip(), labels)


def _plain(text: str, cited: Sequence[Line], newest: int) -> str:
    """The statement as the check of reasons reads it: without "often" where the cited events are MANY and
    "lately" where the newest of them is recent, with "like" for other ways to say it."""
    events = _events(cited)
    if len(events) >= MANY:
        text = _OFTEN.sub("", text)
    if events and newest - events[0].time <= 86_400 * CURRENT_DAYS:
        text = _LATELY.sub("", text)
    text = _INCLINED.sub("like", _LASTING.sub("", text)).strip()
    return text[:1].upper() + text[1:]


def _misfit(kind: str, cited: Sequence[Line], newest: int) -> str | None:
    """Why the cited lines do not make a statement of this kind; None: they do."""
    single = [line.event for line in cited if line.event]
    events = _events(cited)
    if not events:
        return "uncited"
    if kind not in KINDS:
        return "kind"
    disliked = [event.polarity == DISLIKE for event in single]
    if (kind == "dislike" and not (disliked and all(disliked))) or (kind != "dislike" and any(disliked)):
        return "kind"
    if kind == "lasting" and len({event.item for event in events}) < 2:
        return "seldom"
    if kind == "current" and newest - max(event.time for event in events) > 86_400 * CURRENT_DAYS:
        return "old"
    if kind == "habit" and len(_platforms(cited)) != 1:
        return "platform"
    return None


def _events(lines: Sequence[Line]) -> list[Event]:
    """All that these lines rest on, each once, newest first."""
    every = {event.id: event for line in lines for event in line.events}
    return sorted(every.values(), key=lambda event: (-event.time, event.id))


def _platforms(lines: Sequence[Line]) -> set[str]:
    return {event.platform for line in lines for event in line.events}


def _confidence(sure: Any) -> float:
    """A word of SURE; a number in (0, 1] as it is; anything else counts as the least sure word."""
    if isinstance(sure, str):
        return SURE.get(sure.strip().casefold(), SURE["maybe"])
    if isinstance(sure, int | float) and 0 < sure <= 1:
        return float(sure)
    return SURE["maybe"]
